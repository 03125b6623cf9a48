"""TLS as a server negotiates it: ClientHellos by hand, also for what our own OpenSSL no longer speaks."""

from __future__ import annotations

import os
import socket
import ssl
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from checks.kit.site import TIMEOUT, Site

VERSIONS = {"SSL 3.0": 0x0300, "TLS 1.0": 0x0301, "TLS 1.1": 0x0302, "TLS 1.2": 0x0303, "TLS 1.3": 0x0304}
MODERN = frozenset({0x1301, 0x1302, 0x1303})
"""TLS 1.3: AES-128-GCM, AES-256-GCM, CHACHA20-POLY1305."""
PERMITTED = MODERN | {0xC02B, 0xC02C, 0xC02F, 0xC030, 0xCCA8, 0xCCA9, 0x009E, 0x009F, 0xCCAA}
"""Forward secrecy and authenticated encryption: Mozilla's intermediate profile, version 5."""
_ALERT, _HANDSHAKE = 21, 22
"""Kinds of records."""
_SIGNALS = {0x00FF, 0x5600}
"""Not suites: renegotiation info and fallback."""
_ASSIGNED = (range(0x0100), range(0xC001, 0xC100), range(0xCC13, 0xCCB0), range(0x1301, 0x1308))
SUITES = frozenset(number for numbers in _ASSIGNED for number in numbers) - _SIGNALS
"""Every number that IANA has given to a suite lies in one of these ranges."""


@dataclass(frozen=True)
class Door:
    """A public TLS port of the stack."""

    name: str
    """`the site` or `uploads`."""
    address: tuple[str, int]
    server_name: str

    def __str__(self) -> str:
        return f"{self.name} (port {self.address[1]})"


def doors(site: Site) -> list[Door]:
    """The stack's own public TLS ports; an object store of the cloud provider is none of them."""
    found = [Door("the site", site.live.address, site.live.host_name)]
    uploads = site.live.outputs.uploads
    url = urlsplit((uploads.public_endpoint if uploads else None) or "")
    if url.scheme == "https" and url.hostname:
        found.append(Door("uploads", (site.leads_to(url.hostname), url.port or 443), url.hostname))
    return found


@dataclass(frozen=True)
class ServerHello:
    """What a server chose."""

    version: int
    suite: int
    compression: int

    @property
    def suite_name(self) -> str:
        """OpenSSL's name of the suite, or its number."""
        return _names().get(self.suite, f"0x{self.suite:04X}")

    @property
    def version_name(self) -> str:
        return next((name for name, code in VERSIONS.items() if code == self.version), hex(self.version))


def offer(door: Door, version: int, suites: Iterable[int]) -> ServerHello | None:
    """What `door` chooses of `suites` in `version`; None: it refuses the handshake.

    Raises AssertionError if it does not speak TLS at all.
    """
    with socket.create_connection(door.address, timeout=TIMEOUT) as connection:
        connection.sendall(_client_hello(door.server_name, version, sorted(suites)))
        try:
            kind, _, length = struct.unpack(">BHH", _read(connection, 5))
            if kind not in (_ALERT, _HANDSHAKE):
                raise AssertionError(f"{door} does not speak TLS")
            body = _read(connection, length)
        except ConnectionError:
            return None
    if kind == _ALERT:
        return None
    if body[:1] != b"\x02":
        raise AssertionError(f"{door} answers a ClientHello with something else than a ServerHello")
    # After the handshake's type and length: version, random, session id, suite, compression, extensions.
    chosen = struct.unpack_from(">H", body, 4)[0]
    after_id = 39 + body[38]
    suite, compression = struct.unpack_from(">HB", body, after_id)
    return ServerHello(_selected(body, after_id + 3) or chosen, suite, compression)


def accepted(door: Door, version: int, suites: Iterable[int]) -> list[ServerHello]:
    """Everything of `suites` that `door` accepts in `version`: each answer takes one suite off the offer."""
    left, found = set(suites), list[ServerHello]()
    while left and (hello := offer(door, version, left)):
        if hello.suite not in left:
            raise AssertionError(f"{door} chose {hello.suite_name}, which was not offered")
        found.append(hello)
        left.discard(hello.suite)
    return found


def _selected(body: bytes, at: int) -> int:
    """The version in the extension supported_versions (TLS 1.3); 0 if there is none."""
    if len(body) < at + 2:
        return 0
    ends = at + 2 + struct.unpack_from(">H", body, at)[0]
    at += 2
    while at + 4 <= min(ends, len(body)):
        kind, length = struct.unpack_from(">HH", body, at)
        if kind == 43 and length == 2:
            return struct.unpack_from(">H", body, at + 4)[0]
        at += 4 + length
    return 0


def _read(connection: socket.socket, wanted: int) -> bytes:
    found = b""
    while len(found) < wanted:
        part = connection.recv(wanted - len(found))
        if not part:
            raise ConnectionResetError("closed in the middle of a record")
        found += part
    return found


def _client_hello(name: str, version: int, suites: list[int]) -> bytes:
    modern = version == VERSIONS["TLS 1.3"]
    old = min(version, VERSIONS["TLS 1.2"])
    host = name.encode("idna")
    extensions = {
        0: _sized(2, b"\x00" + _sized(2, host)),  # server_name
        10: _sized(2, struct.pack(">5H", 0x001D, 0x0017, 0x0018, 0x0019, 0x0100)),  # supported_groups
        11: b"\x01\x00",  # ec_point_formats
        13: _sized(2, struct.pack(">12H", *_SIGNATURES)),  # signature_algorithms
    }
    if modern:
        # Without a key share: the server answers with the suite that it chooses, and asks for a share.
        extensions |= {43: b"\x02\x03\x04", 45: b"\x01\x01", 51: _sized(2, b"")}
    sent = b"".join(struct.pack(">H", kind) + _sized(2, text) for kind, text in extensions.items())
    compression = b"\x01\x00" if modern else b"\x02\x01\x00"  # with DEFLATE, which must not be chosen
    listed = b"".join(struct.pack(">H", suite) for suite in [*suites, 0x00FF])
    hello = struct.pack(">H", old) + os.urandom(32) + _sized(1, os.urandom(32) if modern else b"")
    hello += _sized(2, listed) + compression + _sized(2, sent)
    handshake = b"\x01" + len(hello).to_bytes(3, "big") + hello
    return struct.pack(">BHH", 22, min(old, 0x0301), len(handshake)) + handshake


_SIGNATURES = (
    *(0x0403, 0x0503, 0x0603, 0x0807, 0x0804, 0x0805),
    *(0x0806, 0x0401, 0x0501, 0x0601, 0x0203, 0x0201),
)
"""ECDSA, EdDSA and RSA; the last two with SHA-1, for servers that know nothing else."""


def _sized(width: int, text: bytes) -> bytes:
    return len(text).to_bytes(width, "big") + text


def _names() -> dict[int, str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_ciphers("ALL:COMPLEMENTOFALL:@SECLEVEL=0")
    # What OpenSSL leaves out unless it is set by name.
    left_out = {0x1304: "TLS_AES_128_CCM_SHA256", 0x1305: "TLS_AES_128_CCM_8_SHA256"}
    return left_out | {cipher["id"] & 0xFFFF: cipher["name"] for cipher in context.get_ciphers()}
