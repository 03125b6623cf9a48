"""The local fleet's certificate authority and certificates: PEM files in the stack's state folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from slipway.platforms.fleet_setup.authority import Authority, ensure_leaf_pem, make_authority
from slipway.platforms.fleet_setup.private_file import keep_private, write_private
from slipway.settings.errors import BadInput


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

    Made anew when missing, when its names differ, when `ca` did not sign it, or 30 days before its end.
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
