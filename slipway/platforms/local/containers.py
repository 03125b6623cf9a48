"""The hosts' containers: made, started, or made anew when what they are made from has changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from slipway.platforms.local.bake import as_tar
from slipway.platforms.local.container_state import ContainerState
from slipway.platforms.local.docker import Docker
from slipway.platforms.local.interrupt import interrupts_deferred
from slipway.platforms.local.keys import host_key, operator_key
from slipway.platforms.local.layout import UNITS_DISK, LocalHost
from slipway.platforms.local.ports import refuse_ports_in_use
from slipway.platforms.local.spec import FLEET_LABEL, ROOT_LABEL, STOP_SECONDS, Spec, spec_of
from slipway.progress import Progress
from slipway.settings.errors import BadInput
from slipway.settings.outputs import Role
from slipway.settings.project import Project

# A new system disk has the image's units; those of releases were on the old one.
_RENEW_UNITS = f"""
find /disk -mindepth 1 -maxdepth 1 ! -name 'slipway-*' -exec rm -rf {{}} +
cp -a {UNITS_DISK}/. /disk/
"""


@dataclass(frozen=True)
class Fleet:
    """One fleet's containers and volumes on this machine."""

    docker: Docker
    project: Project

    @property
    def name(self) -> str:
        """Fleet id, network name, and prefix of every container and volume."""
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
        found = [ContainerState.read(entry) for entry in self.docker.inspect("container", *names)]
        return {state.host: state for state in found}

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

    def ensure(self, hosts: Sequence[LocalHost], images: Mapping[Role, str], progress: Progress) -> set[str]:
        """Make every host's container exist, as wanted, and run; returns the names of those started now.

        Hosts that are no longer wanted are removed with their disks. When it fails or is interrupted, the
        containers of this run are removed again.
        """
        states = self.states()
        self.refuse_foreign(states, gone_too=True)
        specs = {host.name: self._spec(host, images[host.role]) for host in hosts}
        stay = {name for name, spec in specs.items() if name in states and states[name].fits(spec.digest)}
        changed = [host for host in hosts if host.name not in stay]
        stopped = [host for host in hosts if host.name in stay and not states[host.name].running]
        running = {name for name, state in states.items() if state.running}
        taking = [host for host in [*changed, *stopped] if host.name not in running]
        refuse_ports_in_use(self.docker, self.project.stack.name, taking)
        self.remove(sorted(states.keys() - stay))
        self.remove_volumes(sorted(states.keys() - specs.keys()))
        kept = set(self._volumes())
        try:
            with interrupts_deferred(), ThreadPoolExecutor(max_workers=4) as pool:
                for host in changed:
                    progress.host(host.name, "making its container")
                making = [pool.submit(self._create, host, specs[host.name], kept) for host in changed]
                for made in making:
                    made.result()
            # The data host first: apps look for it as they start.
            starting = sorted([*changed, *stopped], key=lambda host: host.role != "data")
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

    def _spec(self, host: LocalHost, image: str) -> Spec:
        state_dir = self.project.state_dir
        keys = (host_key(state_dir, host.name).public, operator_key(state_dir).public)
        return spec_of(host, self.name, image, labels=self.labels, keys=keys)

    def _volumes(self) -> list[str]:
        ours = ("--filter", f"label={FLEET_LABEL}={self.name}")
        return self.docker.text("volume", "ls", "--quiet", *ours).split()

    def _create(self, host: LocalHost, spec: Spec, kept: set[str]) -> None:
        labels = [part for key, value in self.labels.items() for part in ("--label", f"{key}={value}")]
        for volume, mounted in spec.volumes.items():
            self.docker.run("volume", "create", *labels, volume)
            if volume in kept and mounted == UNITS_DISK:
                disk = ("--rm", "--network", "none", "--volume", f"{volume}:/disk")
                self.docker.run("run", *disk, spec.image, "/bin/sh", "-euc", _RENEW_UNITS)
        self.docker.run("create", *spec.arguments)
        state_dir = self.project.state_dir
        key = host_key(state_dir, host.name)
        files = (
            ("/root/.ssh/authorized_keys", 0o600, f"{operator_key(state_dir).public}\n".encode()),
            ("/etc/ssh/ssh_host_ed25519_key", 0o600, key.path.read_bytes()),
            ("/etc/ssh/ssh_host_ed25519_key.pub", 0o644, f"{key.public}\n".encode()),
            # A new container is not set up, whatever its disk remembers of the one before.
            ("/etc/slipway/setup.digest", 0o644, b""),
        )
        self.docker.run("cp", "-", f"{spec.name}:/", stdin=as_tar(files))
