"""The Python packages that a host needs to run pyinfra: wheels for its processor and Python, as an archive.

They are put together here and fetched by hosts from the builds bucket: a host that boots uses no index.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from pathlib import Path

from slipway.settings import SlipwayError
from slipway.settings.debian import RELEASES

REQUIREMENTS = Path(__file__).parent / "requirements.txt"
"""Pinned with hashes: `uv export --only-group kit`."""
TARGETS = tuple(
    f"{machine}-{debian.python}" for machine in ("x86_64", "aarch64") for debian in RELEASES.values()
)
"""Processor and Python of hosts: those of every Debian that they may run."""
_LEFT_OUT = (
    *("gevent/tests/*", "gevent/testing/*", "zope/interface/*/tests/*", "pyinfra_cli/*", "paramiko-stubs/*"),
    *("bin/*", "include/*", "*.pyi", "*.pyx", "*.pxd", "*.c", "*.h", "*/__pycache__/*"),
)


def packages_digest() -> str:
    """Changes with the pinned versions."""
    return hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()


def build_all() -> dict[str, bytes]:
    """Target to its archive, a tar.gz; some seconds, and up to 14 MB each."""
    with ThreadPoolExecutor() as pool:
        return dict(zip(TARGETS, pool.map(build, TARGETS), strict=True))


def build(target: str) -> bytes:
    """The archive for one target. SlipwayError if a package has no wheel for it or no index answers."""
    machine, version = target.split("-")
    with tempfile.TemporaryDirectory(prefix="slipway-kit-") as folder:
        done = subprocess.run(
            [
                *(_uv(), "pip", "install", "--quiet", "--no-config", "--require-hashes"),
                *("--only-binary", ":all:"),
                *("--python-version", version, "--python-platform", f"{machine}-manylinux_2_28"),
                *("--target", folder, "--requirement", str(REQUIREMENTS)),
            ],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise SlipwayError(
                f"the hosts' Python packages for {target} cannot be fetched",
                details=done.stderr.splitlines()[-10:],
                remedy="can this machine reach a Python package index? (UV_INDEX_URL)",
            )
        return _packed(Path(folder))


def _uv() -> str:
    from uv import find_uv_bin  # noqa: PLC0415 - `up` on AWS alone needs it

    return str(find_uv_bin())


def _packed(folder: Path) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, name in _files(folder):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = path.stat().st_size, 0o755 if name.endswith(".so") else 0o644
            with path.open("rb") as content:
                archive.addfile(entry, content)
    return gzip.compress(packed.getvalue(), compresslevel=6, mtime=0)


def _files(folder: Path) -> Iterator[tuple[Path, str]]:
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not any(fnmatch(name, pattern) for pattern in _LEFT_OUT):
            yield path, name
