"""The S3 server's binary: taken from its image, or built as a Go module when no image registry answers."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from slipway.errors import SlipwayError
from slipway.local.bake import TIMEOUT, run_in
from slipway.local.debian import pull
from slipway.local.docker import Docker

VERSION = "v1.8.0"
MODULE = f"github.com/versity/versitygw/cmd/versitygw@{VERSION}"
IMAGE = f"versity/versitygw:{VERSION}"
OLDEST_GO = (1, 21)
"""From 1.21 on, Go fetches the newer toolchain that a module asks for from the module proxy."""

_BACKPORTS_GO = "golang-1.23-go"


def cached() -> Path:
    """Where the binary is kept on this machine, whether it is there or not."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "slipway" / f"versitygw-{VERSION}"


def find_versitygw() -> Path | None:
    """The binary if this machine has it: $VERSITYGW, the cache; None otherwise."""
    named = os.environ.get("VERSITYGW")
    for path in (Path(named) if named else cached(), cached()):
        if path.is_file() and os.access(path, os.X_OK):
            return path
    return None


def from_image(docker: Docker) -> Path | None:
    """Copy the binary out of its image; None when no registry gives the image."""
    if docker.image_id(IMAGE) is None and not pull(docker, IMAGE):
        return None
    name = f"slipway-versitygw-{os.getpid()}"
    try:
        docker.run("create", "--name", name, IMAGE)
        part = _part()
        docker.run("cp", f"{name}:/usr/local/bin/versitygw", str(part))
        return _keep(part)
    except SlipwayError:
        return None
    finally:
        docker.run("rm", "--force", name, check=False)


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
    part = _part()
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
    return _keep(part)


def build_in_container(docker: Docker, image: str, backports: str) -> Path:
    """Build with the Go of Debian's backports in a throw-away container of `image`."""
    name = f"slipway-go-{os.getpid()}"
    script = f"""
apt-get -qq update
DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends {_BACKPORTS_GO} ca-certificates
update-ca-certificates >/dev/null 2>&1
GOBIN=/out CGO_ENABLED=0 GOTOOLCHAIN=auto /usr/lib/go-1.23/bin/go install -trimpath -ldflags='-s -w' {MODULE}
"""
    files = (("/etc/apt/sources.list.d/backports.list", 0o644, backports.encode()),)
    try:
        run_in(docker, name, image, script, files=files, archives="slipway-apt-go")
        part = _part()
        docker.run("cp", f"{name}:/out/versitygw", str(part), timeout=TIMEOUT)
        return _keep(part)
    finally:
        docker.run("rm", "--force", "--volumes", name, check=False)


def _part() -> Path:
    """A name beside the cached binary for one that is being made."""
    cached().parent.mkdir(parents=True, exist_ok=True)
    return cached().with_name(f"{cached().name}.{os.getpid()}.part")


def _keep(part: Path) -> Path:
    part.chmod(0o755)
    part.replace(cached())
    return cached()
