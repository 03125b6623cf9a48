"""A stack's ssh_config: pinned host keys, kept connections. ssh, pyinfra and testinfra read the same one."""

from __future__ import annotations

import hashlib
import os
import socket
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from slipway.settings import NeedsPerson

if TYPE_CHECKING:  # the way to a host on AWS is a process that must not load the schemas
    from slipway.settings import Host

CONNECT_SECONDS = 5
_LONGEST_SOCKET_PATH = 104
"""Bytes, with the final zero, on the strictest system; Linux has 108."""
_SSH_SUFFIX = 17
"""ssh makes the socket as `<path>.<16 random characters>` first."""

_HOST = """\
Host {name}
  HostName {address}
  Port {port}
  User {user}
  HostKeyAlias {name}
"""
_IDENTITY = """\
  IdentityFile "{identity}"
  IdentitiesOnly yes
"""
_PROXY = """\
  ProxyCommand {proxy}
"""
_ALL = """\
Host *
{identity}{proxy}  BatchMode yes
  StrictHostKeyChecking yes
  UserKnownHostsFile "{known_hosts}"
  GlobalKnownHostsFile /dev/null
  UpdateHostKeys no
  HostKeyAlgorithms ssh-ed25519,ecdsa-sha2-nistp256,rsa-sha2-512,rsa-sha2-256
  ConnectTimeout {connect}
  ServerAliveInterval 5
  ServerAliveCountMax 3
  ControlMaster auto
  ControlPath "{control}/%n"
  ControlPersist 10m
  ForwardAgent no
  LogLevel ERROR
"""


def write_ssh_config(
    hosts: Sequence[Host],
    folder: Path,
    identity: Path | None,
    *,
    proxy: str = "",
    connect_seconds: int = CONNECT_SECONDS,
) -> Path:
    """Write `ssh_config` and `known_hosts` for `hosts` into `folder`; returns the path of the first.

    `identity` is the private key to use; None: those of the ssh agent and `~/.ssh`. `proxy` is the
    ProxyCommand, with ssh's own %h, %p and %r in it; empty: none. Files that are already right are not
    written. Each host must come with its public key: none is learned on first use.
    """
    for host in hosts:
        if not host.host_key:
            raise ValueError(f"{host.name} has no host key to pin")
    config, known_hosts = folder.absolute() / "ssh_config", folder.absolute() / "known_hosts"
    entries = {
        host.name: _HOST.format(name=host.name, address=host.ssh_host, port=host.ssh_port, user=host.ssh_user)
        for host in hosts
    }
    keys = {host.name: f"{_names(host)} {host.host_key.strip()}\n" for host in hosts}
    rest = _ALL.format(
        identity=_IDENTITY.format(identity=identity.absolute()) if identity else "",
        proxy=_PROXY.format(proxy=proxy) if proxy else "",
        connect=connect_seconds,
        known_hosts=known_hosts,
        control=control_folder(config),
    )
    before, pinned = _read(config), _read(known_hosts)
    if _keep(known_hosts, "".join(keys.values())) | _keep(config, "".join(entries.values()) + rest):
        # A kept connection may lead to a host's old address, or have used a key that is no longer pinned.
        # Connections of unchanged hosts stay: where hosts come and go, this happens often.
        same = {name for name in entries if entries[name] in before and keys[name] in pinned}
        for control in control_folder(config).iterdir():
            if control.name.split(".")[0] not in same or not before.endswith(rest):
                control.unlink(missing_ok=True)
    return config


def _names(host: Host) -> str:
    """The alias, by which OpenSSH looks up the key, and the address, by which paramiko (pyinfra) does."""
    address = host.ssh_host if host.ssh_port == 22 else f"[{host.ssh_host}]:{host.ssh_port}"
    return f"{host.name},{address}"


def _read(path: Path) -> str:
    return path.read_text() if path.is_file() else ""


def _keep(path: Path, text: str) -> bool:
    if path.is_file() and path.read_text() == text:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(text)
    fresh.chmod(0o600)
    fresh.replace(path)
    return True


def control_folder(ssh_config: Path) -> Path:
    """The folder of the control sockets that belong to one generated ssh_config, made 0700 if absent.

    The path is short, because the path of a Unix socket is limited, and private, because anyone who can open
    such a socket is root on the host. Raises NeedsPerson if the folder belongs to another user.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    mark = hashlib.sha256(str(ssh_config.absolute()).encode()).hexdigest()[:10]
    parent = Path(runtime) / "slipway"
    if not runtime or len(os.fsencode(parent / mark)) + 32 + _SSH_SUFFIX > _LONGEST_SOCKET_PATH:
        parent = Path("/tmp") / f"slipway-{os.getuid()}"  # noqa: S108 - its owner and mode are checked
    folder = parent / mark
    for part in (parent, folder):
        part.mkdir(mode=0o700, exist_ok=True)
        found = part.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
            raise NeedsPerson(
                f"{part} is not a folder of yours with mode 0700, so ssh connections cannot be kept in it",
                remedy=f"remove {part}",
            )
    return folder


def control_socket(ssh_config: Path, host: str) -> Path:
    """The socket of the kept connection to a host (ControlPath in the ssh_config)."""
    return control_folder(ssh_config) / host


def is_alive(path: Path) -> bool:
    """Whether an ssh master listens on the socket.

    A dead socket is removed, so that a new one can be made.
    """
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(2)
            probe.connect(str(path))
            return True
    except ConnectionRefusedError:
        path.unlink(missing_ok=True)
        return False
    except OSError:
        return False
