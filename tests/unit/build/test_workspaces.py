"""Monorepos as they are, with real package managers: deps and app meet again on the host."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from slipway.build.build import Build, build
from slipway.build.runtime import architecture
from tests.unit.build.conftest import MakeProject, unpack

FILES = {
    "package.json": json.dumps({"name": "mono", "private": True, "workspaces": ["apps/*", "packages/*"]}),
    "packages/shared/package.json": json.dumps(
        {
            "name": "@acme/shared",
            "version": "1.0.0",
            "type": "module",
            "main": "i.js",
            "dependencies": {"ms": "2.1.3"},
        }
    ),
    "packages/shared/i.js": "import ms from 'ms'; export const hour = ms('1h');",
    "apps/api/package.json": json.dumps(
        {"name": "@acme/api", "version": "1.0.0", "type": "module", "dependencies": {"@acme/shared": "PIN"}}
    ),
    "apps/api/main.js": "import { hour } from '@acme/shared'; console.log('api', hour);",
    "apps/web/package.json": json.dumps(
        {"name": "@acme/web", "version": "1.0.0", "type": "module", "dependencies": {"@acme/shared": "PIN"}}
    ),
    "apps/web/main.js": "import { hour } from '@acme/shared'; console.log('web', hour);",
}
PACKAGES = ["package.json", "apps/*/package.json", "packages/*/package.json"]
PROCESSES = {
    "web": {"command": "main.js", "directory": "apps/web"},
    "api": {"command": "main.js", "directory": "apps/api", "role": "worker"},
}


@pytest.fixture(autouse=True)
def shared_runtimes(cache_home: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Runtimes are large, so these tests share them."""
    shared = tmp_path_factory.getbasetemp() / "runtimes"
    shared.mkdir(exist_ok=True)
    cache_home.mkdir(exist_ok=True)
    (cache_home / "runtimes").symlink_to(shared)


def lay_out(made: Build, folder: Path) -> Path:
    """The build as on a host: all its layers in one root."""
    for path in made.layers.values():
        unpack(path, folder)
    return folder


def pinned(version: str) -> dict[str, str]:
    return {name: content.replace("PIN", version) for name, content in FILES.items()}


def test_a_bun_monorepo_runs_from_its_layers(make_project: MakeProject, tmp_path: Path) -> None:
    project = make_project(
        pinned("workspace:*"),
        runtime={"name": "bun", "version": "1.4.5"},
        processes=PROCESSES,
        build={
            "deps": {
                "inputs": ["bun.lock", *PACKAGES],
                "command": "bun install --production",
                "paths": ["**/node_modules"],
            }
        },
    )
    host = lay_out(build(project), tmp_path / "host")
    shutil.rmtree(project.context)
    bun = host / ".runtime/bin/bun"
    assert subprocess.check_output([bun, "main.js"], cwd=host / "apps/api", text=True) == "api 3600000\n"
    assert subprocess.check_output([bun, "main.js"], cwd=host / "apps/web", text=True) == "web 3600000\n"


@pytest.mark.skipif(not (shutil.which("npm") and shutil.which("node")), reason="no npm")
def test_an_npm_monorepo_runs_from_its_layers(make_project: MakeProject, tmp_path: Path) -> None:
    project = make_project(
        pinned("1.0.0"),
        runtime={"name": "node", "version": "26.10.0"},
        processes=PROCESSES,
        build={
            "deps": {
                "inputs": ["package-lock.json", *PACKAGES],
                "command": "npm install --omit=dev --no-audit --no-fund",
                "paths": ["node_modules"],
            }
        },
    )
    host = lay_out(build(project), tmp_path / "host")
    assert str((host / "node_modules/@acme/shared").readlink()) == "../../packages/shared"
    node = host / ".runtime/bin/node"
    assert subprocess.check_output([node, "main.js"], cwd=host / "apps/web", text=True) == "web 3600000\n"


def test_a_uv_workspace_runs_from_its_layers(
    make_project: MakeProject, tmp_path: Path, cache_home: Path
) -> None:
    """The host's own Python stands in for the standalone one, which not every network can download."""
    python = _relocatable_python(cache_home)
    project = make_project(
        {
            "pyproject.toml": '[project]\nname="mono"\nversion="1"\nrequires-python=">=3.11"\n'
            'dependencies=["idna==3.10"]\n[tool.uv.workspace]\nmembers=["apps/*"]\n',
            "apps/api/pyproject.toml": '[project]\nname="api"\nversion="1"\nrequires-python=">=3.11"\n'
            'dependencies=["idna"]\n',
            "apps/api/main.py": "import idna, sys; print(idna.encode('ü').decode(), sys.prefix)",
        },
        runtime={"name": "python", "version": python},
        processes={"web": {"command": "python main.py", "directory": "apps/api"}},
        build={
            "deps": {
                "inputs": ["uv.lock", "pyproject.toml", "apps/*/pyproject.toml"],
                "command": "uv sync --no-dev --no-install-workspace --all-packages",
                "paths": [".venv"],
            }
        },
    )
    host = lay_out(build(project), tmp_path / "host")
    assert str((host / ".venv/bin/python").readlink()).startswith("../../.runtime/bin/python3")
    said = subprocess.check_output([host / ".venv/bin/python", "main.py"], cwd=host / "apps/api", text=True)
    assert said.split() == ["xn--tda", str(host / ".venv")]


def _relocatable_python(cache_home: Path) -> str:
    """Lay a copy of a Python that finds its library beside itself where the runtime would be; its version."""
    if not shutil.which("uv"):
        pytest.skip("no uv")
    version = ".".join(map(str, sys.version_info[:3]))
    short = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    home = cache_home / "runtimes" / f"python-{version}-{architecture()}" / ".runtime"
    if not home.exists():
        (home / "bin").mkdir(parents=True)
        base = Path(sys.base_prefix)
        shutil.copy2(base / "bin" / short, home / "bin" / short)
        (home / "bin" / "python3").symlink_to(short)
        ignore = shutil.ignore_patterns("site-packages", "test", "__pycache__", "idlelib", "config-*")
        shutil.copytree(base / "lib" / short, home / "lib" / short, ignore=ignore)
        (home / "lib" / short / "site-packages").mkdir()
    return version
