"""A stack's ssh_config: pinned host keys, kept connections. ssh, pyinfra and testinfra read the same one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from slipway.fleet.control import control_folder
from slipway.settings.outputs import Host

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
_ALL = """\
Host *
{identity}  BatchMode yes
  StrictHostKeyChecking yes
  UserKnownHostsFile "{known_hosts}"
  GlobalKnownHostsFile /dev/null
  UpdateHostKeys no
  HostKeyAlgorithms ssh-ed25519,ecdsa-sha2-nistp256,rsa-sha2-512,rsa-sha2-256
  ConnectTimeout 5
  ServerAliveInterval 5
  ServerAliveCountMax 3
  ControlMaster auto
  ControlPath "{control}/%n"
  ControlPersist 10m
  ForwardAgent no
  LogLevel ERROR
"""


def write_ssh_config(hosts: Sequence[Host], folder: Path, identity: Path | None) -> Path:
    """Write `ssh_config` and `known_hosts` for `hosts` into `folder`; returns the path of the first.

    `identity` is the private key to show; None: the keys of this person's agent and `~/.ssh`. Files that are
    right already are left alone. Each host must bring its public key: none is ever learned on first use.
    """
    for host in hosts:
        if not host.host_key:
            raise ValueError(f"{host.name} has no host key to pin")
    config, known_hosts = folder.absolute() / "ssh_config", folder.absolute() / "known_hosts"
    text = "".join(
        _HOST.format(name=host.name, address=host.ssh_host, port=host.ssh_port, user=host.ssh_user)
        for host in hosts
    )
    shown = _IDENTITY.format(identity=identity.absolute()) if identity else ""
    text += _ALL.format(identity=shown, known_hosts=known_hosts, control=control_folder(config))
    keys = "".join(f"{_names(host)} {host.host_key.strip()}\n" for host in hosts)
    if _keep(known_hosts, keys) | _keep(config, text):
        # A kept connection may lead to where a host was, by a key that is no longer pinned.
        for control in control_folder(config).iterdir():
            control.unlink(missing_ok=True)
    return config


def _names(host: Host) -> str:
    """The alias, by which OpenSSH looks the key up, and the address, by which paramiko (pyinfra) does."""
    address = host.ssh_host if host.ssh_port == 22 else f"[{host.ssh_host}]:{host.ssh_port}"
    return f"{host.name},{address}"


def _keep(path: Path, text: str) -> bool:
    if path.is_file() and path.read_text() == text:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(text)
    fresh.chmod(0o600)
    fresh.replace(path)
    return True
