"""Keys of the local fleet: the operator's ssh key, a host key for each host, and TLS certificates.

All are made here, so host keys are pinned before the first connection.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from slipway.platforms.authority import Authority, ensure_leaf_pem, make_authority
from slipway.platforms.state_folder import keep_private, write_private
from slipway.settings import BadInput, access


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


def fingerprint(key: SshKey) -> str:
    """As ssh-keygen -l shows it: `SHA256:…`."""
    return access.fingerprint(key.public)


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
class FleetKeys:
    """The operator's key, and the host key of every host by its name."""

    operator: SshKey
    hosts: Mapping[str, SshKey]


def fleet_keys(state_dir: Path, hosts: Iterable[str]) -> FleetKeys:
    """The keys of a fleet of `hosts`; those that are missing are made."""
    return FleetKeys(operator_key(state_dir), {host: host_key(state_dir, host) for host in hosts})


@dataclass(frozen=True)
class Certificates:
    """PEM files: the CA's certificate, for everyone; by name, server certificates with their keys (0600)."""

    ca: Path
    servers: Mapping[str, Path]


def ensure_certificates(state_dir: Path, fleet: str, names: Mapping[str, Sequence[str]]) -> Certificates:
    """The fleet's CA, kept for ten years, and a certificate for each of `names`: DNS names and addresses.

    A certificate is replaced when it is missing, when its names differ, when the CA did not sign it, or 30
    days before its end.
    """
    folder = state_dir / "tls"
    certificate, key = folder / "ca.pem", folder / "ca.key"
    ca = Authority(_read(certificate), _read(key))
    if not ca.is_good():
        ca = make_authority(fleet)
        write_private(key, ca.key)
        write_private(certificate, ca.certificate)
        certificate.chmod(0o644)
    servers = {name: folder / f"{name}.pem" for name in names}
    for name, hosts in names.items():
        try:
            keep_private(servers[name], ensure_leaf_pem(_read(servers[name]), ca, hosts))
        except ValueError as wrong:
            raise BadInput(f"{key}: {wrong}", remedy=f"delete {folder}") from None
    return Certificates(certificate, servers)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
