"""Keys of the local fleet: the operator's ssh key, and a host key for each host, made here and so pinned."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


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


def write_private(path: Path, content: bytes) -> None:
    """Replace `path` by `content`, never readable by others, and never half-written."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


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
