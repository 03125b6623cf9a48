"""A data host's certificate, in the form and with the owner that each server wants."""

from __future__ import annotations

import re

from hosts.file import HostFile
from hosts.plan import FleetPlan
from slipway.settings.errors import BadInput
from slipway.settings.outputs import Host

_BLOCK = re.compile(rb"-----BEGIN ([A-Z ]+)-----.+?-----END \1-----\n?", re.DOTALL)


def certificate_files(plan: FleetPlan, host: Host, folder: str, group: str) -> list[HostFile]:
    """`server.crt` and `server.key` in `folder`; the key is root's, readable by `group`."""
    chain, key = split_pem(_pem(plan, host))
    return [
        HostFile(f"{folder}/server.crt", chain),
        HostFile(f"{folder}/server.key", key, "0640", "root", group),
    ]


def split_pem(pem: bytes) -> tuple[bytes, bytes]:
    """(certificates, private key) of a PEM file that holds both; BadInput if either is missing."""
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
