"""The recipes of the hosts' images, and how one is baked. They hold packages only; hosts/ configures them."""

import hashlib
import io
import os
import shlex
import tarfile
from dataclasses import dataclass

from slipway.platforms.local.docker import Docker, DockerError
from slipway.platforms.local.network import Image
from slipway.platforms.s3_server import VERSION
from slipway.settings import SlipwayError

Files = tuple[tuple[str, int, bytes], ...]
"""(absolute path, mode, content) of each."""
SOURCES_LIST = "/etc/apt/sources.list"

EVERY_HOST = (
    *(
        "systemd",
        "systemd-sysv",
        "dbus",
        "libpam-systemd",
        "openssh-server",
        "python3",
        "sudo",
        "zstd",
        "curl",
    ),
    *("ca-certificates", "nftables", "jq", "iproute2", "procps", "less", "rsync", "socat", "iputils-ping"),
    *("netcat-openbsd", "unattended-upgrades", "systemd-timesyncd", "netbase"),
)

ADDED: dict[Image, list[str]] = {
    "edge": ["haproxy"],
    "web": ["haproxy"],
    "worker": [],
    "data": ["postgresql", "postgresql-client", "pgbouncer", "redis-server"],
}
ADDED["one"] = [*ADDED["web"], *ADDED["data"]]

WITH_S3_SERVER: tuple[Image, ...] = ("data", "one")

# Package scripts and hosts/ keep a user that exists; with the same ids in every image, disks outlive it.
USERS = (
    ("haproxy", 901, "/var/lib/haproxy", "/usr/sbin/nologin"),
    ("postgres", 902, "/var/lib/postgresql", "/bin/bash"),
    ("redis", 903, "/var/lib/redis", "/usr/sbin/nologin"),
    ("sshd", 904, "/run/sshd", "/usr/sbin/nologin"),
    ("versitygw", 905, "/var/lib/versitygw", "/usr/sbin/nologin"),
    ("slipway-app", 906, "/nonexistent", "/usr/sbin/nologin"),
)

# Off until hosts/ has configured and enabled them.
SERVICES = (
    *("haproxy", "postgresql", "pgbouncer", "redis-server", "nftables", "unattended-upgrades"),
    *("apt-daily.timer", "apt-daily-upgrade.timer"),
)

INIT_PATH = "/usr/local/sbin/slipway-init"
INIT = b"""#!/bin/sh
# cgroup v2 is mounted read-only in a container without --privileged; systemd has to write its own subtree.
mount -o remount,rw /sys/fs/cgroup 2>/dev/null || true
export SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1
exec /sbin/init
"""

# Starts no service while packages are installed; the role's script takes it away.
NO_STARTS = ("/usr/sbin/policy-rc.d", 0o755, b"#!/bin/sh\nexit 101\n")

_APT = "DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o Dpkg::Options::=--force-unsafe-io -o Dpkg::Use-Pty=0"
_ADD_USERS = "\n".join(
    f"useradd --system --uid {uid} --user-group --no-create-home --home-dir {home} --shell {shell} {name}"
    for name, uid, home, shell in USERS
)

BASE_SCRIPT = f"""
rm -f /etc/apt/apt.conf.d/docker-clean /etc/apt/apt.conf.d/docker-gzip-indexes
{_ADD_USERS}
apt-get -qq update
{_APT} install --no-install-recommends {" ".join(EVERY_HOST)}
update-ca-certificates >/dev/null 2>&1
rm -f /etc/ssh/ssh_host_* /var/lib/dbus/machine-id
: > /etc/machine-id
"""


@dataclass(frozen=True)
class Recipe:
    """One image: made by running `script` in `parent` after unpacking `files`."""

    name: str
    parent: str
    script: str
    files: Files = ()
    salt: str = ""
    """What else decides the result: the version of something that is copied in."""

    @property
    def tag(self) -> str:
        """`slipway/<name>:<digest>`: a changed recipe is a new image, an unchanged one is found again."""
        digest = hashlib.sha256()
        for part in (self.parent, self.script, self.salt, repr(sorted(self.files))):
            digest.update(part.encode() + b"\0")
        return f"slipway/{self.name}:{digest.hexdigest()[:12]}"


def base_recipe(debian: str, apt: Files) -> Recipe:
    """What every host has, on the Debian image `debian`; `apt` as in `debian.apt_files`."""
    script = BASE_SCRIPT
    if any(path == SOURCES_LIST for path, _, _ in apt):
        script = f"rm -f /etc/apt/sources.list.d/debian.sources\n{script}"
    return Recipe("base", debian, script, ((INIT_PATH, 0o755, INIT), NO_STARTS, *apt))


def image_recipe(image: Image, base: str) -> Recipe:
    """A host's image on the base image `base`."""
    if image in WITH_S3_SERVER:
        return Recipe(image, data_packages_recipe(image, base).tag, "true", salt=VERSION)
    return Recipe(image, base, packages_script(image))


def data_packages_recipe(image: Image, base: str) -> Recipe:
    """A data host's image without the S3 server, which may take longer to build than all the rest."""
    return Recipe(f"{image}-packages", base, packages_script(image))


def packages_script(image: Image) -> str:
    """The script that makes a host's image from slipway/base."""
    packages = ADDED[image]
    install = f"{_APT} install --no-install-recommends {' '.join(packages)}"
    # The lists may be older than the mirror when an old base gets a new role.
    step = f"{install} || {{ apt-get -qq update; {install}; }}" if packages else ""
    disable = f'for unit in {" ".join(SERVICES)}; do systemctl disable "$unit" >/dev/null 2>&1 || true; done'
    return f"{step}\n{disable}\nrm -f {NO_STARTS[0]}\n"


# Run-and-commit and not `docker build`: it needs no builder plugin, and downloads are kept in volumes.
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


def bake(docker: Docker, recipe: Recipe, extra: Files = ()) -> str:
    """Make `recipe`'s image unless it is there; returns its tag. `recipe.salt` covers `extra`."""
    if docker.inspect("image", recipe.tag):
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
    files: Files,
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


def as_tar(files: Files) -> bytes:
    """Files as an uncompressed tar archive, owned by root; mode 0o40xxx makes a folder."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for path, mode, content in files:
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.mode, entry.size = mode, len(content)
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()
