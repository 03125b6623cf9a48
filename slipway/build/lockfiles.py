"""The packages that lock files name: npm, bun, deno, pnpm and yarn for JavaScript, uv for Python."""

import json
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal, cast

import yaml

Table = dict[str, Any]


@dataclass(frozen=True)
class Package:
    """One locked package. `integrity` is as the lock file has it: `sha512-<base64>` or `sha256:<hex>`."""

    ecosystem: Literal["apk", "deb", "jsr", "npm", "pypi"]
    name: str
    version: str
    integrity: str = ""
    development: bool = False
    """Only needed to build or test."""


Reader = Callable[[str, Sequence[Table]], Iterator[Package]]
"""From the text of a lock file, and the package.json files that it locks, to its packages."""


def read_lockfiles(root: Path, files: Iterable[str]) -> list[Package]:
    """Every package of the lock files among `files` (relative to `root`), each once, sorted."""
    files = list(files)
    packages: dict[tuple[str, str, str], Package] = {}
    for name in files:
        reader = READERS.get(PurePosixPath(name).name)
        text = (root / name).read_text() if reader else ""
        for package in reader(text, _manifests(root, files, name)) if reader else ():
            key = (package.ecosystem, package.name, package.version)
            if key not in packages or packages[key].development:
                packages[key] = package
    return [packages[key] for key in sorted(packages)]


def _manifests(root: Path, files: list[str], lock: str) -> list[Table]:
    """The package.json files in the folder of `lock` and below. Only yarn's lock needs them."""
    if PurePosixPath(lock).name != "yarn.lock":
        return []
    folder = lock.rpartition("/")[0]
    named = [name for name in files if PurePosixPath(name).name == "package.json"]
    mine = [name for name in named if not folder or name.startswith(f"{folder}/")]
    return [cast("Table", json.loads((root / name).read_text())) for name in mine]


def _bun(text: str, _manifests: Sequence[Table]) -> Iterator[Package]:
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


def _deno(text: str, _manifests: Sequence[Table]) -> Iterator[Package]:
    """It does not say what only tests need. The versions of peers stand behind an underscore."""
    lock = cast("Table", json.loads(text))
    for ecosystem in ("jsr", "npm"):
        for key, entry in cast("dict[str, Table]", lock.get(ecosystem) or {}).items():
            name, version = _named(key)
            integrity = str(entry.get("integrity", ""))
            # For jsr it is the hash of a list of files, in hex.
            yield Package(ecosystem, name, version.partition("_")[0], integrity if ecosystem == "npm" else "")


def _npm(text: str, _manifests: Sequence[Table]) -> Iterator[Package]:
    lock = cast("Table", json.loads(text))
    for place, entry in cast("dict[str, Table]", lock.get("packages", {})).items():
        if "node_modules/" not in place or entry.get("link"):
            continue
        name = str(entry.get("name") or place.rpartition("node_modules/")[2])
        development = bool(entry.get("dev") or entry.get("devOptional"))
        yield Package(
            "npm", name, str(entry.get("version", "")), str(entry.get("integrity", "")), development
        )


def _pnpm(text: str, _manifests: Sequence[Table]) -> Iterator[Package]:
    """Formats 6 and 9 (pnpm 8 to 10). A key is `name@version(peers)`; format 6 has a slash before it."""
    lock = cast("Table", yaml.safe_load(text) or {})
    packages = cast("dict[str, Table]", lock.get("packages") or {})
    locked = {key.removeprefix("/"): entry for key, entry in packages.items()}
    # Only format 9 has the dependencies of packages in a table of their own.
    graph = cast("dict[str, Table]", lock.get("snapshots") or locked)
    importers = cast("dict[str, Table]", lock.get("importers") or {"": lock}).values()
    shipped = _reachable(
        [key for importer in importers for key in _pnpm_needs(importer)],
        lambda key: _pnpm_needs(graph.get(key) or {}),
    )
    needed = {key.partition("(")[0] for key in shipped}
    for key, entry in locked.items():
        name, version = _named(key.partition("(")[0])
        integrity = str(cast("Table", entry.get("resolution") or {}).get("integrity", ""))
        yield Package(
            "npm", name, str(entry.get("version") or version), integrity, key.partition("(")[0] not in needed
        )


def _pnpm_needs(table: Table) -> list[str]:
    """Keys of what an importer or a package needs at run time."""
    needs: list[str] = []
    for kind in ("dependencies", "optionalDependencies"):
        for name, wanted in cast("Table", table.get(kind) or {}).items():
            stated = cast("Table", wanted)["version"] if isinstance(wanted, dict) else wanted
            version = str(stated).removeprefix("/")
            if version.startswith("link:"):
                continue
            # An alias names the package that it stands for: `string-width@4.2.3`.
            is_alias = "@" in version.partition("(")[0][1:] and "://" not in version
            needs.append(version if is_alias else f"{name}@{version}")
    return needs


def _yarn(text: str, manifests: Sequence[Table]) -> Iterator[Package]:
    """Yarn's own format 1, and the YAML of yarn 2 and later. What only builds is known from package.json."""
    is_yaml = "\n__metadata:" in text
    locked = cast("dict[str, Table]", yaml.safe_load(text)) if is_yaml else _yarn_classic(text)
    locked.pop("__metadata", None)
    by_spec = {spec: key for key in locked for spec in key.split(", ")}

    def needs(table: Table) -> list[str]:
        wanted = [
            (name, str(version))
            for kind in ("dependencies", "optionalDependencies")
            for name, version in cast("Table", table.get(kind) or {}).items()
        ]
        return [key for name, version in wanted for key in _yarn_keys(by_spec, name, version)]

    shipped = _reachable(
        [key for manifest in manifests for key in needs(manifest)], lambda key: needs(locked[key])
    )
    for key, entry in locked.items():
        spec = str(entry.get("resolution") or key.split(", ")[0])
        name, wanted = _named(spec)
        if re.match(r"(?:workspace|patch|link|portal|file):", wanted):
            continue
        if wanted.startswith("npm:") and not is_yaml:
            name = _named(wanted.removeprefix("npm:"))[0]
        # The checksum of yarn 2 and later is that of its own cache file, so it is none of the package's.
        yield Package("npm", name, str(entry["version"]), str(entry.get("integrity", "")), key not in shipped)


def _yarn_keys(by_spec: Mapping[str, str], name: str, version: str) -> list[str]:
    """The keys that `name` at `version` is locked by; every one of that name if an override changed it."""
    if version.startswith("workspace:"):
        return []
    for spec in (f"{name}@{version}", f"{name}@npm:{version}"):
        if spec in by_spec:
            return [by_spec[spec]]
    return [key for spec, key in by_spec.items() if spec.startswith(f"{name}@")]


def _yarn_classic(text: str) -> dict[str, Table]:
    """Entries by their key, as the YAML of later versions has them."""
    entries: dict[str, Table] = {}
    entry: Table = {}
    table: Table = {}
    for line in text.splitlines():
        words = re.findall(r'"[^"]*"|[^\s,:"]+(?:[:@][^\s,:"]+)*', line)
        content = [word.strip('"') for word in words]
        if not content or line.startswith("#"):
            continue
        match len(line) - len(line.lstrip()):
            case 0:
                entry = entries[", ".join(content)] = {}
            case 2 if line.endswith(":"):
                table = entry[content[0]] = {}
            case 2:
                entry[content[0]] = content[-1]
            case _:
                table[content[0]] = content[-1]
    return entries


def _reachable(start: Iterable[str], needs: Callable[[str], list[str]]) -> set[str]:
    """`start`, and all that it needs."""
    reached: set[str] = set()
    waiting = list(start)
    while waiting:
        key = waiting.pop()
        if key not in reached:
            reached.add(key)
            waiting += needs(key)
    return reached


def _named(spec: str) -> tuple[str, str]:
    """Name and version of `@scope/name@version`."""
    name, _, version = spec[1:].partition("@")
    return spec[:1] + name, version


def _uv(text: str, _manifests: Sequence[Table]) -> Iterator[Package]:
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


READERS: dict[str, Reader] = {
    "bun.lock": _bun,
    "deno.lock": _deno,
    "package-lock.json": _npm,
    "pnpm-lock.yaml": _pnpm,
    "uv.lock": _uv,
    "yarn.lock": _yarn,
}
