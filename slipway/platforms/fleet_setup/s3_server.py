"""The S3 server's binary on the operator's machine: found, or built as a Go module."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from slipway.settings.errors import SlipwayError

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
