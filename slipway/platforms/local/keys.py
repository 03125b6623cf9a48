"""Keys of the local fleet: the operator's ssh key, and a host key for each host, made here and so pinned."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from slipway.platforms.fleet_setup.private_file import write_private


@dataclass(frozen=True)
class SshKey:
    """An ed25519 key pair; `path` holds the private half, `path`.pub the other."""

    path: Path
    public: str
    """`ssh-ed25519 AAAA…`, without a comment."""


def operator_key(state_dir: Path) -> SshKey:
    """The key by which this operator signs in to every host of the fleet."""
    return _ensure(state_dir / "ssh" / "id_ed25519")


def host_key(state_dir: Path, host: str) -> SshKey:
    """The key by which `host` proves itself; it outlives the host's container."""
    return _ensure(state_dir / "ssh" / "hosts" / host)


def _ensure(path: Path) -> SshKey:
    if not path.exists():
        private = Ed25519PrivateKey.generate()
        text = private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
        )
        write_private(path, text)
    loaded = serialization.load_ssh_private_key(path.read_bytes(), password=None)
    public = loaded.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    public_path = path.with_name(f"{path.name}.pub")
    if not public_path.exists() or public_path.read_bytes() != public + b"\n":
        public_path.write_bytes(public + b"\n")
    return SshKey(path, public.decode())
