"""The SBOM names what lock files lock, and is the same for the same packages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from slipway.build.manifest import RuntimeOf
from slipway.build.sbom import Package, make_sbom, read_lockfiles
from tests.unit.build.conftest import write

BUN_LOCK = """{
  "lockfileVersion": 1,
  "workspaces": {
    "": { "name": "mono", "devDependencies": { "typescript": "5.0.0", }, },
    "apps/api": { "name": "@acme/api", "dependencies": { "@acme/shared": "workspace:*", "hono": "4.0.0", }, },
    "packages/shared": { "name": "@acme/shared", "dependencies": { "nanoid": "5.1.5", }, },
  },
  "packages": {
    "@acme/api": ["@acme/api@workspace:apps/api"],
    "@acme/shared": ["@acme/shared@workspace:packages/shared"],
    "hono": ["hono@4.0.0", "", { "dependencies": { "nanoid": "3" } }, "sha512-AAAA"],
    "hono/nanoid": ["nanoid@3.3.11", "", { "bin": "a,]" }, "sha512-AQAA"],
    "nanoid": ["nanoid@5.1.5", "", {}, "sha512-AgAA"],
    "typescript": ["typescript@5.0.0", "", { "dependencies": { "tslib": "2" } }, "sha512-AwAA"],
    "tslib": ["tslib@2.0.0", "", {}, "sha512-BAAA"],
  }
}
"""
NPM_LOCK = json.dumps(
    {
        "lockfileVersion": 3,
        "packages": {
            "": {"name": "root"},
            "apps/web": {"name": "web", "version": "1.0.0"},
            "node_modules/web": {"resolved": "apps/web", "link": True},
            "node_modules/@scope/a": {"version": "1.0.0", "integrity": "sha512-AAAA"},
            "apps/web/node_modules/b": {"version": "2.0.0", "dev": True},
        },
    }
)
UV_LOCK = """
version = 1
[[package]]
name = "app"
source = { virtual = "." }
[[package]]
name = "idna"
version = "3.10"
source = { registry = "simple" }
sdist = { url = "x", hash = "sha256:12ab" }
"""


def names(root: Path, lock: str, text: str) -> list[tuple[str, str, bool]]:
    write(root, {lock: text})
    return [(p.name, p.version, p.development) for p in read_lockfiles(root, [lock])]


def test_a_bun_lock_tells_what_ships_from_what_only_builds(tmp_path: Path) -> None:
    assert names(tmp_path, "bun.lock", BUN_LOCK) == [
        ("hono", "4.0.0", False),
        ("nanoid", "3.3.11", False),
        ("nanoid", "5.1.5", False),
        ("tslib", "2.0.0", True),
        ("typescript", "5.0.0", True),
    ]


def test_an_npm_lock_is_read_without_its_workspaces(tmp_path: Path) -> None:
    assert names(tmp_path, "package-lock.json", NPM_LOCK) == [
        ("@scope/a", "1.0.0", False),
        ("b", "2.0.0", True),
    ]


def test_a_uv_lock_is_read_without_the_app_itself(tmp_path: Path) -> None:
    assert names(tmp_path, "uv.lock", UV_LOCK) == [("idna", "3.10", False)]


def test_the_sbom_is_cyclonedx_names_the_runtime_and_repeats_exactly() -> None:
    packages = [
        Package("npm", "@scope/a", "1.0.0", "sha512-AAAA"),
        Package("pypi", "idna", "3.10", "sha256:" + "12" * 32, development=True),
    ]
    runtime = RuntimeOf(name="bun", version="1.4.5")
    first = make_sbom("board", "f" * 40, runtime, packages)
    assert first == make_sbom("board", "f" * 40, runtime, packages)
    bom: dict[str, Any] = json.loads(first)
    assert (bom["bomFormat"], bom["specVersion"]) == ("CycloneDX", "1.6")
    assert "timestamp" not in bom["metadata"]
    found = {component["name"]: component for component in bom["components"]}
    assert found["bun"]["version"] == "1.4.5"
    assert found["a"]["purl"] == "pkg:npm/%40scope/a@1.0.0"
    assert found["a"]["hashes"] == [{"alg": "SHA-512", "content": "000000"}]
    assert found["idna"]["scope"] == "excluded"
    assert bom["serialNumber"] != json.loads(make_sbom("board", "", runtime, []))["serialNumber"]
