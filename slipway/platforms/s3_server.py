"""The S3 server's binary on the operator's machine: found, or built as a Go module."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from slipway.progress import Progress
from slipway.settings import BadInput, SlipwayError

VERSION = "v1.8.0"
MODULE = f"github.com/versity/versitygw/cmd/versitygw@{VERSION}"
OLDEST_GO = (1, 21)
"""From 1.21 on, Go fetches the newer toolchain that a module asks for from the module proxy."""


def find_versitygw() -> Path | None:
    """The binary if this machine has it: $VERSITYGW, the cache; None otherwise."""
    named = os.environ.get("VERSITYGW")
    for path in (Path(named) if named else cached(), cached()):
        if path.is_file() and os.access(path, os.X_OK):
            return path
    return None


def go_on_path() -> str | None:
    """A Go that can build the module: on PATH or in the usual place, and not too old."""
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin:/usr/lib/go/bin")
    if go is None:
        return None
    version = subprocess.run([go, "env", "GOVERSION"], check=False, capture_output=True, text=True).stdout
    found = re.match(r"go(\d+)\.(\d+)", version)
    return go if found and (int(found[1]), int(found[2])) >= OLDEST_GO else None


def build_with(go: str) -> Path:
    """`go install` the module with `go`; about 90 s of two cores."""
    part = part_beside()
    target = part.with_suffix(".d")
    environment = {
        **os.environ,
        "GOBIN": str(target),
        "CGO_ENABLED": "0",
        "GOTOOLCHAIN": "auto",
        "GOFLAGS": "",
    }
    done = subprocess.run(
        [go, "install", "-trimpath", "-ldflags=-s -w", MODULE],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
    )
    if done.returncode != 0:
        raise SlipwayError(f"go install {MODULE} failed", details=done.stderr.strip().splitlines()[-6:])
    (target / "versitygw").replace(part)
    target.rmdir()
    return keep(part)


def cached() -> Path:
    """Where the binary is kept on this machine, whether it is there or not."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "slipway" / f"versitygw-{VERSION}"


def part_beside() -> Path:
    """A name beside the cached binary for one that is being made."""
    cached().parent.mkdir(parents=True, exist_ok=True)
    return cached().with_name(f"{cached().name}.{os.getpid()}.part")


def keep(part: Path) -> Path:
    """Put a finished `part_beside` in its place."""
    part.chmod(0o755)
    part.replace(cached())
    return cached()


_ELF = b"\x7fELF"
_MACHINES = {62: "x86_64", 183: "aarch64"}
"""e_machine of an ELF header, as `uname -m` calls it."""


def binary_for(host: str, architecture: str, progress: Progress) -> Path:
    """A Linux binary for `architecture`: $VERSITYGW, the cache, or built here; BadInput if none."""
    binary = find_versitygw()
    go = None if binary else go_on_path()
    if go:
        progress.line(f"building the S3 server, versitygw {VERSION}, with {go}")
        binary = build_with(go)
    remedy = f"set VERSITYGW to a binary of versitygw {VERSION} for Linux on {architecture}"
    if binary is None:
        raise BadInput(
            f"{host} has no S3 server yet, and this machine has neither its binary nor Go to build it",
            remedy=f"install Go 1.21 or newer here, or {remedy}",
        )
    made_for = machine_of(binary)
    if made_for != architecture:
        raise BadInput(f"{binary} is for {made_for}, and {host} is {architecture}", remedy=remedy)
    return binary


def machine_of(binary: Path) -> str:
    """What a program runs on, as `uname -m` says it."""
    with binary.open("rb") as file:
        head = file.read(20)
    if not head.startswith(_ELF):
        return "another system than Linux"
    number = int.from_bytes(head[18:20], "little")
    return _MACHINES.get(number, f"machine {number}")
