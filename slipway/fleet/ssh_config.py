"""A stack's ssh_config: pinned host keys, kept connections. ssh, pyinfra and testinfra read the same one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from slipway.fleet.control import control_folder
from slipway.settings.outputs import Host

CONNECT_SECONDS = 5

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

    `identity` is the private key to show; None: the keys of this person's agent and `~/.ssh`. `proxy` is the
    command through which hosts are reached, with ssh's own %h, %p and %r in it; empty: directly. Files that
    are right already are left alone. Each host must bring its public key: none is ever learned on first use.
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
        # A kept connection may lead to where a host was, by a key that is no longer pinned. Those of hosts
        # that are as they were stay: where hosts come and go, this happens often.
        same = {name for name in entries if entries[name] in before and keys[name] in pinned}
        for control in control_folder(config).iterdir():
            if control.name.split(".")[0] not in same or not before.endswith(rest):
                control.unlink(missing_ok=True)
    return config


def _names(host: Host) -> str:
    """The alias, by which OpenSSH looks the key up, and the address, by which paramiko (pyinfra) does."""
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
