"""A data host's certificate, in the form and with the owner that each server needs."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import io
import re

from pyinfra.operations import files

from hosts.operations import install
from hosts.plan import FleetPlan
from slipway.settings import BadInput, Host

_BLOCK = re.compile(rb"-----BEGIN ([A-Z ]+)-----.+?-----END \1-----\n?", re.DOTALL)


def certificate(plan: FleetPlan, host: Host, folder: str, group: str) -> tuple[str, str]:
    """Place `server.crt` and `server.key` in `folder`, the key readable by `group`. Returns their paths."""
    chain, key = split_pem(_pem(plan, host))
    paths = (f"{folder}/server.crt", f"{folder}/server.key")
    files.put(name=paths[0], src=io.BytesIO(chain), dest=paths[0], mode="644")
    install(name=paths[1], src=key, dest=paths[1], group=group, mode="640")
    return paths


def split_pem(pem: bytes) -> tuple[bytes, bytes]:
    """(certificates, private key) of a PEM file that holds both. Raises BadInput if either is missing."""
    blocks = [(match.group(1), match.group(0)) for match in _BLOCK.finditer(pem)]
    chain = b"".join(block for kind, block in blocks if kind == b"CERTIFICATE")
    key = b"".join(block for kind, block in blocks if kind.endswith(b"PRIVATE KEY"))
    if not chain or not key:
        raise BadInput("a host's PEM file must hold a certificate and its private key")
    return chain, key


def _pem(plan: FleetPlan, host: Host) -> bytes:
    path = plan.host_pems.get(host.name)
    if path is None:
        raise BadInput(f"no certificate of the fleet's authority for {host.name}")
    return path.read_bytes()
