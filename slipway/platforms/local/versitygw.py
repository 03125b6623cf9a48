"""The S3 server's binary by way of Docker: from its image, or built in a container with Debian's Go."""

from __future__ import annotations

import os
from pathlib import Path

from slipway.platforms.fleet_setup.s3_server import (
    MODULE,
    VERSION,
    build_with,
    find_versitygw,
    go_on_path,
    keep,
    part_beside,
)
from slipway.platforms.local.bake import TIMEOUT, run_in
from slipway.platforms.local.debian import pull
from slipway.platforms.local.docker import Docker
from slipway.settings.errors import SlipwayError

__all__ = [
    "VERSION",
    "build_in_container",
    "build_with",
    "find_versitygw",
    "from_image",
    "go_on_path",
]

IMAGE = f"versity/versitygw:{VERSION}"
_BACKPORTS_GO = "golang-1.23-go"


def from_image(docker: Docker) -> Path | None:
    """Copy the binary out of its image; None when no registry gives the image."""
    if docker.image_id(IMAGE) is None and not pull(docker, IMAGE):
        return None
    name = f"slipway-versitygw-{os.getpid()}"
    try:
        docker.run("create", "--name", name, IMAGE)
        part = part_beside()
        docker.run("cp", f"{name}:/usr/local/bin/versitygw", str(part))
        return keep(part)
    except SlipwayError:
        return None
    finally:
        docker.run("rm", "--force", name, check=False)


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
        part = part_beside()
        docker.run("cp", f"{name}:/out/versitygw", str(part), timeout=TIMEOUT)
        return keep(part)
    finally:
        docker.run("rm", "--force", "--volumes", name, check=False)
