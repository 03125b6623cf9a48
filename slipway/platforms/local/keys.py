"""Keys of the local fleet: the operator's ssh key, and a host key for each host, made here and so pinned."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from slipway.platforms.authority import Authority, ensure_leaf_pem, make_authority
from slipway.platforms.state_folder import keep_private, write_private
from slipway.settings import BadInput


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


@dataclass(frozen=True)
class AuthorityFiles:
    """PEM files: the CA's certificate (for everyone) and its key (0600)."""

    certificate: Path
    key: Path

    def read(self) -> Authority:
        """What they hold; nothing where there is no file."""
        return Authority(_read(self.certificate), _read(self.key))


def ensure_ca(state_dir: Path, name: str) -> AuthorityFiles:
    """The fleet's CA: kept for ten years, made when missing or nearly over."""
    ca = AuthorityFiles(state_dir / "tls/ca.pem", state_dir / "tls/ca.key")
    if not ca.read().is_good():
        made = make_authority(name)
        write_private(ca.key, made.key)
        write_private(ca.certificate, made.certificate)
        ca.certificate.chmod(0o644)
    return ca


def ensure_leaf(state_dir: Path, ca: AuthorityFiles, name: str, hosts: Sequence[str]) -> Path:
    """One PEM file (0600) with a server certificate for `hosts` (DNS names and addresses) and its key.

    Replaced when missing, when its names differ, when `ca` did not sign it, or 30 days before its end.
    """
    leaf = state_dir / "tls" / f"{name}.pem"
    try:
        keep_private(leaf, ensure_leaf_pem(_read(leaf), ca.read(), hosts))
    except ValueError as wrong:
        raise BadInput(f"{ca.key}: {wrong}", remedy=f"delete {ca.key.parent}") from None
    return leaf


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
