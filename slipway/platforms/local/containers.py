"""The containers of a local fleet: what each is made from, and how they are brought in line with that."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from slipway.platforms.interrupts import interrupts_deferred
from slipway.platforms.local.bake import as_tar
from slipway.platforms.local.docker import Docker
from slipway.platforms.local.keys import FleetKeys
from slipway.platforms.local.network import LOOPBACK, UNITS_DISK, Image, LocalHost, refuse_ports_in_use
from slipway.progress import Progress
from slipway.settings import BadInput, Project
from slipway.settings.debian import DEFAULT, RELEASES

FLEET_LABEL = "slipway.fleet"
ROOT_LABEL = "slipway.root"
HOST_LABEL = "slipway.host"
SPEC_LABEL = "slipway.spec"
STOP_SECONDS = 60
"""How long services of a host have to end when it is switched off; jobs may take their drain time."""

# What systemd and nftables need in a container, without --privileged.
SYSTEMD = (
    *("--cap-add", "SYS_ADMIN", "--cap-add", "NET_ADMIN", "--cgroupns=private", "--env", "container=docker"),
    *("--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined"),
    *("--tmpfs", "/run:mode=755", "--tmpfs", "/run/lock:mode=1777", "--tmpfs", "/tmp:exec,mode=1777"),  # noqa: S108
    *("--restart", "unless-stopped", "--stop-timeout", str(STOP_SECONDS), "--shm-size", "256m"),
    *("--log-opt", "max-size=1m", "--sysctl", "net.core.somaxconn=4096"),
    # How many log lines wait for a busy journal; HAProxy drops what comes next. systemd raises the
    # kernel's 10 when a machine boots, not in a container.
    *("--sysctl", "net.unix.max_dgram_qlen=512"),
)


@dataclass(frozen=True)
class Spec:
    """One container, before it is made."""

    name: str
    digest: str
    """Another digest means another container."""
    image: str
    arguments: tuple[str, ...]
    volumes: dict[str, str]
    """Docker volume → where it is mounted."""


def spec_of(
    host: LocalHost, fleet: str, image: str, *, labels: Mapping[str, str], keys: tuple[str, str]
) -> Spec:
    """The container of `host` in `fleet`; `keys` are its host key and the operator's, both public."""
    name = f"{fleet}-{host.name}"
    volumes = {f"{name}-{disk.strip('/').replace('/', '-')}": disk for disk in host.disks}
    arguments = (
        *("--name", name, "--hostname", host.name),
        *("--network", fleet, "--network-alias", host.name, "--ip", host.address),
        *SYSTEMD,
        *_repeat("--publish", (f"{LOOPBACK}:{outside}:{inside}" for outside, inside, _ in host.published)),
        *_repeat("--volume", (f"{volume}:{disk}" for volume, disk in volumes.items())),
        *_repeat("--label", (f"{key}={value}" for key, value in {**labels, HOST_LABEL: host.name}.items())),
    )
    digest = hashlib.sha256(json.dumps([image, arguments, keys]).encode()).hexdigest()[:16]
    return Spec(name, digest, image, (*arguments, "--label", f"{SPEC_LABEL}={digest}", image), volumes)


def _image_with(postgresql: str) -> str:
    """The image of the Debian that has this version of PostgreSQL."""
    found = (debian for debian in RELEASES.values() if str(debian.postgresql) == postgresql)
    return next(found, RELEASES[DEFAULT]).image


def _repeat(flag: str, values: Iterable[str]) -> list[str]:
    return [part for value in values for part in (flag, value)]


@dataclass(frozen=True)
class ContainerState:
    """One container of a fleet, as docker reports it."""

    host: str
    root: str
    spec: str
    state: str
    """created, running, restarting, exited, paused, dead."""
    since: str
    """RFC 3339."""
    address: str

    @property
    def running(self) -> bool:
        return self.state == "running"

    def fits(self, spec: str) -> bool:
        """Is it made by `spec`, and whole? One that never started was cut off before its keys were put in."""
        return self.spec == spec and self.state != "created"


_CLUSTERS = "/var/lib/postgresql"
# The versions of PostgreSQL that the disk has databases of, and the image no server for.
_ORPHANED = """
for cluster in /disk/[0-9]*/main; do
    version=$(basename "$(dirname "$cluster")")
    [ ! -f "$cluster/PG_VERSION" ] || [ -x "/usr/lib/postgresql/$version/bin/postgres" ] || echo "$version"
done
"""

# A new system disk has the image's units; those of releases were on the old one.
_RENEW_UNITS = f"""
find /disk -mindepth 1 -maxdepth 1 ! -name 'slipway-*' -exec rm -rf {{}} +
cp -a {UNITS_DISK}/. /disk/
"""


@dataclass(frozen=True)
class Containers:
    """One fleet's containers and volumes on this machine."""

    docker: Docker
    project: Project

    @property
    def name(self) -> str:
        """Containers id, network name, and prefix of every container and volume."""
        return self.project.fleet_id

    @property
    def labels(self) -> dict[str, str]:
        """What marks things as this fleet's."""
        return {FLEET_LABEL: self.name, ROOT_LABEL: str(self.project.root.resolve())}

    def container(self, host: str) -> str:
        """Container name of a host."""
        return f"{self.name}-{host}"

    def states(self) -> dict[str, ContainerState]:
        """Every container of the fleet, by host name."""
        names = self.docker.text(
            "ps", "--all", "--quiet", "--filter", f"label={FLEET_LABEL}={self.name}"
        ).split()
        found: dict[str, ContainerState] = {}
        for entry in self.docker.inspect("container", *names):
            labels, networks = entry["Config"]["Labels"], entry["NetworkSettings"]["Networks"]
            host = labels.get(HOST_LABEL, "")
            found[host] = ContainerState(
                host=host,
                root=labels.get(ROOT_LABEL, ""),
                spec=labels.get(SPEC_LABEL, ""),
                state=entry["State"]["Status"],
                since=entry["State"]["StartedAt"],
                address=next((str(network["IPAddress"]) for network in networks.values()), ""),
            )
        return found

    def refuse_foreign(self, states: dict[str, ContainerState], *, gone_too: bool) -> None:
        """BadInput if the fleet is another folder's (which, unless `gone_too`, still exists)."""
        for state in states.values():
            if state.root != self.labels[ROOT_LABEL] and (gone_too or Path(state.root).is_dir()):
                raise BadInput(
                    f"the fleet {self.name} on this machine belongs to {state.root}",
                    remedy=f"slipway down --volumes --stack {self.project.stack.name}"
                    + (" there" if Path(state.root).is_dir() else "")
                    + ", or give this project another name in Pulumi.yaml",
                )

    def ensure(
        self, hosts: Sequence[LocalHost], images: Mapping[Image, str], keys: FleetKeys, progress: Progress
    ) -> set[str]:
        """Make every host's container exist, as wanted, and run; returns the names of those started now.

        Hosts that are no longer wanted are removed with their disks. When it fails or is interrupted, the
        containers of this run are removed again.
        """
        states = self.states()
        self.refuse_foreign(states, gone_too=True)
        specs = {host.name: self._spec(host, images[host.image], keys) for host in hosts}
        stay = {name for name, spec in specs.items() if name in states and states[name].fits(spec.digest)}
        changed = [host for host in hosts if host.name not in stay]
        stopped = [host for host in hosts if host.name in stay and not states[host.name].running]
        if not changed and not stopped and states.keys() <= stay:
            return set()
        running = {name for name, state in states.items() if state.running}
        taking = [host for host in [*changed, *stopped] if host.name not in running]
        refuse_ports_in_use(self.docker, self.project.stack.name, taking)
        kept = set(self._volumes())
        self._refuse_other_databases([specs[host.name] for host in changed], kept)
        raise_limits(progress)
        self.remove(sorted(states.keys() - stay))
        self.remove_volumes(sorted(states.keys() - specs.keys()))
        try:
            with interrupts_deferred(), ThreadPoolExecutor(max_workers=4) as pool:
                for host in changed:
                    progress.host(host.name, "making its container")
                making = [pool.submit(self._create, host, specs[host.name], keys, kept) for host in changed]
                for made in making:
                    made.result()
            # The data host first: apps look for it as they start.
            starting = sorted([*changed, *stopped], key=lambda host: "data" not in host.roles)
            if starting:
                self.docker.run("start", *(self.container(host.name) for host in starting))
        except BaseException:
            with interrupts_deferred():
                self.remove([host.name for host in changed])
            raise
        return {host.name for host in starting}

    def remove(self, hosts: Sequence[str]) -> None:
        """Stop and remove containers; their disks stay."""
        self.stop(hosts)
        if hosts:
            names = [self.container(host) for host in hosts]
            self.docker.run("rm", "--force", "--volumes", *names, check=False)

    def stop(self, hosts: Sequence[str]) -> None:
        """Switch hosts off, data last: apps finish their work, and for that they need it."""
        data = [host for host in hosts if host.startswith("data")]
        for some in ([host for host in hosts if host not in data], data):
            names = [self.container(host) for host in some]
            if names:
                self.docker.run("stop", "--time", str(STOP_SECONDS), *names, check=False, timeout=150)

    def remove_volumes(self, hosts: Sequence[str] | None = None) -> None:
        """Delete the disks of `hosts`, or of the whole fleet."""
        listing = self._volumes()
        prefixes = tuple(f"{self.container(host)}-" for host in hosts) if hosts is not None else (self.name,)
        doomed = [volume for volume in listing if volume.startswith(prefixes)] if prefixes else []
        if doomed:
            self.docker.run("volume", "rm", "--force", *doomed)

    def _spec(self, host: LocalHost, image: str, keys: FleetKeys) -> Spec:
        public = (keys.hosts[host.name].public, keys.operator.public)
        return spec_of(host, self.name, image, labels=self.labels, keys=public)

    def _volumes(self) -> list[str]:
        ours = ("--filter", f"label={FLEET_LABEL}={self.name}")
        return self.docker.text("volume", "ls", "--quiet", *ours).split()

    def _refuse_other_databases(self, specs: Sequence[Spec], kept: set[str]) -> None:
        """BadInput if a disk that stays has databases that its new container could not read."""
        for spec in specs:
            for volume, mounted in spec.volumes.items():
                if mounted != _CLUSTERS or volume not in kept:
                    continue
                disk = ("--rm", "--network", "none", "--volume", f"{volume}:/disk:ro")
                found = self.docker.text("run", *disk, spec.image, "/bin/sh", "-euc", _ORPHANED).split()
                if found:
                    raise BadInput(
                        f"{spec.name} has databases of PostgreSQL {', '.join(found)}, for which "
                        f"{self.project.stack.local.image} has no server; nothing was changed",
                        remedy='docs/local-fleet.md, "Another Debian": keep the one that the fleet has, '
                        f"for example image: {_image_with(found[-1])}, or move the databases",
                    )

    def _create(self, host: LocalHost, spec: Spec, keys: FleetKeys, kept: set[str]) -> None:
        labels = [part for key, value in self.labels.items() for part in ("--label", f"{key}={value}")]
        for volume, mounted in spec.volumes.items():
            self.docker.run("volume", "create", *labels, volume)
            if volume in kept and mounted == UNITS_DISK:
                disk = ("--rm", "--network", "none", "--volume", f"{volume}:/disk")
                self.docker.run("run", *disk, spec.image, "/bin/sh", "-euc", _RENEW_UNITS)
        self.docker.run("create", *spec.arguments)
        key = keys.hosts[host.name]
        files = (
            ("/root/.ssh/authorized_keys", 0o600, f"{keys.operator.public}\n".encode()),
            ("/etc/ssh/ssh_host_ed25519_key", 0o600, key.path.read_bytes()),
            ("/etc/ssh/ssh_host_ed25519_key.pub", 0o644, f"{key.public}\n".encode()),
            # A new container is not set up, whatever its disk remembers of the one before.
            ("/etc/slipway/setup.digest", 0o644, b""),
        )
        self.docker.run("cp", "-", f"{spec.name}:/", stdin=as_tar(files))


INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")
INOTIFY_WANTED = 1024
"""A systemd host takes 7 to 10 of these, all of the same user; Linux gives 128; without, it exits."""

INOTIFY_REMEDY = f"sudo sysctl fs.inotify.max_user_instances={INOTIFY_WANTED}"


def raise_limits(progress: Progress, limit: Path = INOTIFY) -> None:
    """Raise the limit until the next reboot if it is low and we may; else say how."""
    try:
        if int(limit.read_text()) >= INOTIFY_WANTED:
            return
        limit.write_text(str(INOTIFY_WANTED))
    except PermissionError:
        progress.line(f"if hosts do not start: {INOTIFY_REMEDY}")
    except (OSError, ValueError):
        return
    else:
        progress.line(
            f"raised fs.inotify.max_user_instances to {INOTIFY_WANTED}: each host's systemd takes some"
        )
