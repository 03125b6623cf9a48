"""Bake: run a recipe's script in a container of its parent and keep the result as an image.

Run-and-commit and not `docker build`: it needs no builder plugin, and downloads are kept in volumes.
"""

from __future__ import annotations

import io
import os
import shlex
import tarfile

from slipway.platforms.local.docker import Docker, DockerError
from slipway.platforms.local.recipes import INIT_PATH, Recipe
from slipway.settings.errors import SlipwayError

_LISTS = "slipway-apt-lists:/var/lib/apt/lists"
_ARCHIVES = "/var/cache/apt/archives"

TIMEOUT = 900.0
"""Seconds one bake may take."""

_SETTINGS = "/slipway-bake.env"
"""Read and deleted by the script: what is given by --env would stay in the image."""

_LABEL = "slipway.bake"

_PASSED_ON = (
    *("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
    *("GOPROXY", "GONOPROXY", "GOSUMDB", "GONOSUMDB", "GOPRIVATE", "GOINSECURE"),
)


def bake(docker: Docker, recipe: Recipe, extra: tuple[tuple[str, int, bytes], ...] = ()) -> str:
    """Make `recipe`'s image unless it is there; returns its tag. `recipe.salt` covers `extra`."""
    if docker.image_id(recipe.tag):
        return recipe.tag
    name = f"slipway-bake-{recipe.name}-{os.getpid()}"
    try:
        volume = f"slipway-apt-{recipe.name}"  # one each: apt locks it, and roles are baked side by side
        run_in(docker, name, recipe.parent, recipe.script, files=(*recipe.files, *extra), archives=volume)
        changes = (
            f'CMD ["{INIT_PATH}"]',
            "ENV container=docker",
            "LABEL slipway.image=1",
        )
        flags = [part for change in changes for part in ("--change", change)]
        docker.run("commit", *flags, name, recipe.tag, timeout=TIMEOUT)
        docker.run("tag", recipe.tag, f"slipway/{recipe.name}:latest")
    except DockerError as error:
        raise SlipwayError(
            f"baking the image {recipe.tag} failed",
            details=error.details,
            remedy="see the package manager's message",
        ) from error
    finally:
        docker.run("rm", "--force", "--volumes", name, check=False)
    return recipe.tag


def run_in(
    docker: Docker,
    name: str,
    image: str,
    script: str,
    *,
    files: tuple[tuple[str, int, bytes], ...],
    archives: str,
) -> None:
    """Unpack `files` into a new container `name` and run `script` there, on this machine's network.

    Package lists, and package files in the volume `archives`, stay out of the image and for the next time.
    """
    kept = ("--volume", _LISTS, "--volume", f"{archives}:{_ARCHIVES}")
    settings = "".join(
        f"export {key}={shlex.quote(os.environ[key])}\n" for key in _PASSED_ON if os.environ.get(key)
    )
    script = f"tar -x -C / -f -\n. {_SETTINGS}\nrm {_SETTINGS}\n{script}"
    docker.run(
        *("run", "--interactive", "--name", name, "--label", f"{_LABEL}={os.getpid()}", "--network", "host"),
        *("--stop-signal", "SIGRTMIN+3", *kept),
        *(image, "/bin/sh", "-euc", script),
        stdin=as_tar((*files, (_SETTINGS, 0o600, settings.encode()))),
        timeout=TIMEOUT,
    )


def abandon_bakes(docker: Docker) -> None:
    """Remove the containers that this process bakes in: the bakes under way fail and come to an end."""
    ours = ("--filter", f"label={_LABEL}={os.getpid()}")
    names = docker.text("ps", "--all", "--quiet", *ours).split()
    if names:
        docker.run("rm", "--force", "--volumes", *names, check=False)


def as_tar(files: tuple[tuple[str, int, bytes], ...]) -> bytes:
    """Files as an uncompressed tar archive, owned by root; mode 0o40xxx makes a folder."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for path, mode, content in files:
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.mode, entry.size = mode, len(content)
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()
