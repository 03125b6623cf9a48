"""The hosts' images: a Debian base, what every host has, and one image a role, or one with all of them.

Cold, the base is made while versitygw is built and roles are baked side by side; warm, all are found.
"""

import os
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from slipway.platforms.local.bake import (
    ADDED,
    TIMEOUT,
    WITH_S3_SERVER,
    Files,
    Recipe,
    abandon_bakes,
    bake,
    base_recipe,
    data_packages_recipe,
    image_recipe,
    run_in,
)
from slipway.platforms.local.debian import (
    Mirror,
    apt_files,
    ensure_debian,
    find_debian,
    find_mirror,
    pull,
    suite_of,
)
from slipway.platforms.local.docker import Docker
from slipway.platforms.local.network import Image
from slipway.platforms.s3_server import (
    MODULE,
    VERSION,
    build_with,
    find_versitygw,
    go_on_path,
    keep,
    part_beside,
)
from slipway.progress import Progress
from slipway.settings import LocalFleet, SlipwayError
from slipway.settings.debian import release_of

VERSITYGW_PATH = "/usr/local/bin/versitygw"
"""Where the data image has the S3 server."""

BAKED: tuple[Image, ...] = ("web", "worker", "data")
"""Images that are made; the edge's is the web's."""


def ensure_images(docker: Docker, local: LocalFleet, progress: Progress) -> dict[Image, str]:
    """The tags of the images that the hosts of `local` need; those that are missing are made."""
    baked: tuple[Image, ...] = ("one",) if local.one_host else BAKED
    image = local.image
    mirror = find_mirror(suite_of(image))
    apt = apt_files(mirror)
    debian = find_debian(docker, image, mirror)
    tags: dict[Image, str] = {}
    if debian:
        base = base_recipe(debian, apt).tag
        tags = {name: image_recipe(name, base).tag for name in baked}
    if not tags or len(docker.inspect("image", *tags.values())) < len(tags):
        tags = _Kitchen(docker, mirror, apt, progress).make_all(image, baked)
    return tags if local.one_host else {**tags, "edge": tags["web"]}


@dataclass(frozen=True)
class _Kitchen:
    """Where images are made: the daemon, this machine's mirror and apt settings, and the progress."""

    docker: Docker
    mirror: Mirror | None
    apt: Files
    progress: Progress

    def make_all(self, image: str, baked: Sequence[Image]) -> dict[Image, str]:
        """The base, then the images called `baked` side by side."""
        with ThreadPoolExecutor(max_workers=len(baked) + 1) as pool, self._interruptible():
            server = pool.submit(self._versitygw_early)
            base = base_recipe(ensure_debian(self.docker, image, self.mirror, self.progress), self.apt)
            self._bake(base, "systemd, sshd and what every host has")
            made: dict[Image, Future[str]] = {
                name: pool.submit(self._bake_host, name, base.tag, server) for name in baked
            }
            return {name: future.result() for name, future in made.items()}

    @contextmanager
    def _interruptible(self) -> Generator[None]:
        """Ctrl-C ends the bakes that run in other threads too."""
        try:
            yield
        except KeyboardInterrupt:
            abandon_bakes(self.docker)
            raise

    def _bake(self, recipe: Recipe, what: str, extra: Files = ()) -> str:
        if not self.docker.inspect("image", recipe.tag):
            self.progress.line(f"baking the image slipway/{recipe.name}: {what}")
        return bake(self.docker, recipe, extra)

    def _bake_host(self, name: Image, base: str, early: Future[Path | None]) -> str:
        what = " ".join(ADDED[name]) or "nothing more"
        recipe = image_recipe(name, base)
        extra: Files = ()
        if not self.docker.inspect("image", recipe.tag) and name in WITH_S3_SERVER:
            self._bake(data_packages_recipe(name, base), what)
            what = "versitygw"
            server = early.result() or self._versitygw_late(base)
            extra = ((VERSITYGW_PATH, 0o755, server.read_bytes()),)
        tag = self._bake(recipe, what, extra)
        if name == "web":
            self.docker.run("tag", tag, "slipway/edge:latest")
        return tag

    def _versitygw_early(self) -> Path | None:
        """versitygw by the ways that need no base image; None if only a container with Go is left."""
        found = find_versitygw() or from_image(self.docker)
        go = None if found else go_on_path()
        if go is None:
            return found
        self.progress.line(f"building versitygw {VERSION} with {go}")
        return build_with(go)

    def _versitygw_late(self, base: str) -> Path:
        if self.mirror is None:
            raise SlipwayError(
                f"no way to get versitygw {VERSION}: no image registry, and no Go of 1.21 or newer on PATH",
                remedy="install Go, or set VERSITYGW to a binary",
            )
        self.progress.line(f"building versitygw {VERSION} with Debian's Go, in a container")
        return build_in_container(self.docker, base, self.mirror)


IMAGE = f"versity/versitygw:{VERSION}"


def from_image(docker: Docker) -> Path | None:
    """Copy the binary out of its image; None when no registry gives the image."""
    if not docker.inspect("image", IMAGE) and not pull(docker, IMAGE):
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


def build_in_container(docker: Docker, image: str, mirror: Mirror) -> Path:
    """Build with the Go of Debian or its backports in a throw-away container of `image`."""
    go = release_of(mirror.suite).go
    name = f"slipway-go-{os.getpid()}"
    script = f"""
apt-get -qq update
DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends golang-{go}-go ca-certificates
update-ca-certificates >/dev/null 2>&1
GOBIN=/out CGO_ENABLED=0 GOTOOLCHAIN=auto /usr/lib/go-{go}/bin/go install -trimpath -ldflags='-s -w' {MODULE}
"""
    files = (("/etc/apt/sources.list.d/backports.list", 0o644, mirror.backports().encode()),)
    try:
        run_in(docker, name, image, script, files=files, archives="slipway-apt-go")
        part = part_beside()
        docker.run("cp", f"{name}:/out/versitygw", str(part), timeout=TIMEOUT)
        return keep(part)
    finally:
        docker.run("rm", "--force", "--volumes", name, check=False)
