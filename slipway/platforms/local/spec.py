"""What a host's container is made from. Pure: arguments of `docker create`, and a digest of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from slipway.platforms.local.layout import LocalHost
from slipway.platforms.local.ports import LOOPBACK

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


def _repeat(flag: str, values: Iterable[str]) -> list[str]:
    return [part for value in values for part in (flag, value)]
