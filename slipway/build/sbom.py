"""The bill of materials: packages of the lock files as CycloneDX 1.6 JSON, byte for byte reproducible."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import tomllib
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal, cast

from cyclonedx import model
from cyclonedx.model import bom as bill
from cyclonedx.model import component
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL

from slipway.build.manifest import RuntimeOf, canonical

BUILDER = "slipway"

# A decorator of the library's hides its constructors from type checkers.
Bom: Any = bill.Bom
BomMetaData: Any = bill.BomMetaData
Component: Any = component.Component
HashType: Any = model.HashType


def make_sbom(app: str, version: str, runtime: RuntimeOf, packages: Sequence[Package]) -> bytes:
    """Canonical JSON of the SBOM of `app` at `version` (a commit, may be empty).

    No time and no random serial number: the serial number is made from what the SBOM says.
    """
    components = [_component(package) for package in packages]
    if runtime.name != "none":
        components.append(
            Component(
                type=component.ComponentType.PLATFORM,
                name=runtime.name,
                version=runtime.version,
                bom_ref=f"runtime:{runtime.name}@{runtime.version}",
            )
        )
    root = Component(
        type=component.ComponentType.APPLICATION, name=app, version=version or None, bom_ref=f"app:{app}"
    )
    bom = Bom(components=components, metadata=BomMetaData(component=root), serial_number=uuid.UUID(int=0))
    bom.register_dependency(root, components)
    text = make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string()
    content: dict[str, Any] = json.loads(text)
    content["metadata"].pop("timestamp", None)
    content.pop("serialNumber", None)
    name = hashlib.sha256(canonical(content)).hexdigest()
    content["serialNumber"] = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, f'{BUILDER}:{name}')}"
    return canonical(content)


def _component(package: Package) -> Any:
    namespace, _, short = package.name.rpartition("/")
    purl = PackageURL(package.ecosystem, namespace or None, short, package.version)
    hashes = [
        HashType(alg=model.HashAlgorithm(algorithm), content=content)
        for algorithm, content in _hashes(package.integrity)
    ]
    return Component(
        name=short,
        group=namespace or None,
        version=package.version,
        purl=purl,
        bom_ref=purl.to_string(),
        hashes=hashes,
        scope=component.ComponentScope.EXCLUDED if package.development else component.ComponentScope.REQUIRED,
    )


def _hashes(integrity: str) -> list[tuple[str, str]]:
    """(CycloneDX name, hex) of the hashes in a lock file's integrity."""
    found: list[tuple[str, str]] = []
    for bits, separator, content in re.findall(r"sha(1|256|384|512)([-:])(\S+)", integrity):
        digits = content if separator == ":" else base64.b64decode(content).hex()
        found.append((f"SHA-{bits}", digits))
    return found


Table = dict[str, Any]


@dataclass(frozen=True)
class Package:
    """One locked package. `integrity` is as the lock file has it: `sha512-<base64>` or `sha256:<hex>`."""

    ecosystem: Literal["npm", "pypi"]
    name: str
    version: str
    integrity: str = ""
    development: bool = False
    """Only needed to build or test."""


def read_lockfiles(root: Path, names: list[str]) -> list[Package]:
    """Every package of the lock files among `names` (relative to `root`), each once, sorted."""
    packages: dict[tuple[str, str, str], Package] = {}
    for name in names:
        reader = READERS.get(PurePosixPath(name).name)
        for package in reader((root / name).read_text()) if reader else ():
            key = (package.ecosystem, package.name, package.version)
            if key not in packages or packages[key].development:
                packages[key] = package
    return [packages[key] for key in sorted(packages)]


def _bun(text: str) -> Iterator[Package]:
    lock = cast("Table", json.loads(_without_trailing_commas(text)))
    locked: dict[str, list[Any]] = lock.get("packages", {})
    shipped = _reached(lock.get("workspaces", {}), locked)
    for key, entry in locked.items():
        name, _, version = str(entry[0]).rpartition("@")
        if not re.match(r"(?:workspace|file|link|root):", version):
            integrity = str(entry[-1]) if len(entry) > 1 and isinstance(entry[-1], str) else ""
            yield Package("npm", name, version, integrity, key not in shipped)


def _reached(workspaces: dict[str, Table], locked: dict[str, list[Any]]) -> set[str]:
    """Keys of what the workspaces need at run time. Key `a/b` is the b that only a uses."""
    open_keys: list[str] = []
    reached: set[str] = set()

    def need(parent: str, table: Table) -> None:
        for kind in ("dependencies", "optionalDependencies", "peerDependencies"):
            for name in table.get(kind, {}):
                folders = [f"{parent[: len(parent) - cut]}/{name}" for cut in _cuts(parent)] if parent else []
                key = next((key for key in [*folders, name] if key in locked), None)
                if key and key not in reached:
                    reached.add(key)
                    open_keys.append(key)

    for workspace in workspaces.values():
        need(str(workspace.get("name", "")), workspace)
    while open_keys:
        key = open_keys.pop()
        tables = [cast("Table", part) for part in locked[key] if isinstance(part, dict)]
        for table in tables:
            need(key, table)
    return reached


def _cuts(path: str) -> list[int]:
    """How much to cut off `path` for itself and for each folder above it."""
    return [0] + [len(path) - match.start() for match in reversed(list(re.finditer("/", path)))]


def _npm(text: str) -> Iterator[Package]:
    lock = cast("Table", json.loads(text))
    for place, entry in cast("dict[str, Table]", lock.get("packages", {})).items():
        if "node_modules/" not in place or entry.get("link"):
            continue
        name = str(entry.get("name") or place.rpartition("node_modules/")[2])
        development = bool(entry.get("dev") or entry.get("devOptional"))
        yield Package(
            "npm", name, str(entry.get("version", "")), str(entry.get("integrity", "")), development
        )


def _uv(text: str) -> Iterator[Package]:
    for entry in cast("list[Table]", tomllib.loads(text).get("package", [])):
        source = cast("Table", entry.get("source", {}))
        if source.keys() & {"virtual", "editable", "directory"}:
            continue
        archives = cast("list[Table]", [entry["sdist"]] if "sdist" in entry else entry.get("wheels", []))
        yield Package(
            "pypi",
            str(entry["name"]),
            str(entry.get("version", "")),
            str(archives[0].get("hash", "")) if archives else "",
        )


def _without_trailing_commas(text: str) -> str:
    """bun.lock is JSON but for commas before a closing bracket."""
    return re.sub(r'("(?:\\.|[^"\\])*")|,(?=\s*[}\]])', lambda found: found[1] or "", text)


READERS = {"bun.lock": _bun, "package-lock.json": _npm, "uv.lock": _uv}
