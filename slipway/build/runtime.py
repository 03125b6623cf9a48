"""The pinned runtime: fetched once, first on PATH of every build command, shipped as a layer of its own.

Hosts need no runtime installed, and neither does the operator's machine: what built it is what runs it.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from slipway.build import cache
from slipway.build.inputs import settings_digest
from slipway.build.layer import LEVEL, Packed, pack, recalled, record_of
from slipway.build.npm_package import fetch_package
from slipway.build.tree import RUNTIME_FOLDER, collect
from slipway.settings.app import Runtime
from slipway.settings.errors import BadInput, SlipwayError

ARCHITECTURES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}


@dataclass(frozen=True)
class Installed:
    """A runtime on this machine: `home` holds `.runtime/bin`."""

    home: Path

    @property
    def bin(self) -> Path:
        """The folder for PATH."""
        return self.home / RUNTIME_FOLDER / "bin"


def architecture() -> str:
    """What builds are for, `x64` or `arm64`: native modules come from this machine, so its own."""
    machine = platform.machine().lower()
    if machine not in ARCHITECTURES:
        raise BadInput(f"no runtimes for {machine}", remedy="build on x86_64 or aarch64 Linux")
    return ARCHITECTURES[machine]


def install(runtime: Runtime, told: Callable[[str], None] = lambda _: None) -> Installed | None:
    """The pinned runtime from the cache, fetched if it is not there; None for `none`."""
    if runtime.name == "none":
        return None
    home = cache.cache_dir() / "runtimes" / f"{runtime.name}-{runtime.version}-{architecture()}"
    if not home.exists():
        told(f"fetching {runtime.name} {runtime.version}")
        home.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=home.parent, prefix="fetching-") as folder:
            made = Path(folder) / "home"
            fetch = {"bun": _fetch_bun, "node": _fetch_node, "python": _fetch_python}[runtime.name]
            fetch(runtime.version, Path(folder) / "fetched", made / RUNTIME_FOLDER)
            try:
                made.rename(home)
            except OSError:  # another build was faster
                if not home.exists():
                    raise
    return Installed(home)


def runtime_layer(runtime: Runtime, installed: Installed) -> Packed:
    """The runtime as a layer; packed once a machine."""
    key = settings_digest(runtime.name, runtime.version, architecture(), LEVEL)
    if known := recalled(cache.recall("runtimes", key)):
        return known
    layer = pack(collect(installed.home, lambda _: True))
    cache.remember("runtimes", key, record_of(layer))
    return layer


def _fetch_bun(version: str, fetched: Path, target: Path) -> None:
    arch = {"x64": "x64", "arm64": "aarch64"}[architecture()]
    fetch_package(f"@oven/bun-linux-{arch}", version, fetched)
    _take(fetched / "package" / "bin" / "bun", target / "bin" / "bun")
    (target / "bin" / "bunx").symlink_to("bun")


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
        env={**os.environ, "UV_PYTHON_DOWNLOADS": "automatic"},
    )
    found = (
        sorted(path for path in fetched.glob("cpython-*") if not path.is_symlink())
        if fetched.exists()
        else []
    )
    if done.returncode != 0 or not found:
        raise SlipwayError(
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
