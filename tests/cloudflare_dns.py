"""A stand-in for Cloudflare's DNS: its API by HTTPS and its name server, on this machine."""

from __future__ import annotations

import http.server
import json
import re
import socketserver
import ssl
import struct
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import trustme

from tests.ports import free_port

ZONE_ID = "023e105f4ecef8ad9ca31a8372d0c353"
SOA, TXT = 6, 16


@dataclass
class Zone:
    """One zone that a token may edit, and what was done to it."""

    name: str
    token: str
    records: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    made: list[str] = field(default_factory=list[str])
    """Names of the records that were made."""
    refused: int = 0
    """Requests without the token."""


@dataclass(frozen=True)
class Cloudflare:
    """Where the stand-in is."""

    zone: Zone
    api: str
    """URL in place of https://api.cloudflare.com/client/v4."""
    ca_file: Path
    """The authority of the API's certificate."""
    dns: str
    """Address and port of the name server."""


@contextmanager
def cloudflare(folder: Path, zone: Zone, address: str = "127.0.0.1") -> Generator[Cloudflare]:
    """Cloudflare, as far as a zone's records go; its files are in `folder`."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "cloudflare-ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(address).configure_cert(context)  # pyright: ignore[reportUnknownMemberType]
    with (
        _Server((address, 0), zone, context) as api,
        # One number for both: one that the kernel gives to the first may be taken for the second.
        _Names((address, free_port()), _Datagram) as names,
        _TcpNames(names.server_address, _Stream) as by_tcp,
    ):
        names.zone = by_tcp.zone = zone
        servers = (api, names, by_tcp)
        threads = [threading.Thread(target=each.serve_forever, daemon=True) for each in servers]
        for thread in threads:
            thread.start()
        try:
            yield Cloudflare(
                zone,
                f"https://{address}:{api.server_address[1]}/client/v4",
                folder / "cloudflare-ca.pem",
                f"{address}:{names.server_address[1]}",
            )
        finally:
            for each in servers:
                each.shutdown()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, place: tuple[str, int], zone: Zone, context: ssl.SSLContext) -> None:
        super().__init__(place, _Api)
        self.zone = zone
        self.socket = context.wrap_socket(self.socket, server_side=True)


class _Api(http.server.BaseHTTPRequestHandler):
    """Zones by name; records made and deleted. Documented at developers.cloudflare.com/api."""

    protocol_version = "HTTP/1.1"

    @property
    def zone(self) -> Zone:
        return cast("_Server", self.server).zone

    def do_GET(self) -> None:
        zone, url = self.zone, urlsplit(self.path)
        asked = parse_qs(url.query)["name"][0]
        if url.path.endswith("/dns_records"):
            return self._answer([each for each in zone.records.values() if each["name"] == asked])
        return self._answer([{"id": ZONE_ID, "name": zone.name}] if asked == zone.name else [])

    def do_POST(self) -> None:
        record = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self._is_allowed() or not self.path.endswith(f"/zones/{ZONE_ID}/dns_records"):
            return self._answer(None)
        zone = self.zone
        made = {**record, "id": f"{len(zone.made) + 1:032x}"}
        zone.records[made["id"]] = made
        zone.made.append(record["name"])
        return self._answer(made)

    def do_DELETE(self) -> None:
        found = re.fullmatch(rf".*/zones/{ZONE_ID}/dns_records/(\w+)", self.path)
        if not found or not self._is_allowed():
            return self._answer(None)
        self.zone.records.pop(found[1])
        return self._answer({"id": found[1]})

    def _is_allowed(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {self.zone.token}"

    def _answer(self, result: object) -> None:
        good = self._is_allowed() and result is not None
        self.zone.refused += not self._is_allowed()
        error = {"code": 10000, "message": "Authentication error"}
        document = {"success": good, "errors": [] if good else [error], "messages": [], "result": result}
        body = json.dumps(document).encode()
        self.send_response(200 if good else 403)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


class _Names(socketserver.ThreadingUDPServer):
    zone: Zone


class _TcpNames(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    zone: Zone


class _Datagram(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        query, socket = self.request
        socket.sendto(_answer(cast("_Names", self.server).zone, cast("bytes", query)), self.client_address)


class _Stream(socketserver.StreamRequestHandler):
    """The same by TCP, each message after its length."""

    def handle(self) -> None:
        while length := self.rfile.read(2):
            answer = _answer(
                cast("_TcpNames", self.server).zone, self.rfile.read(int.from_bytes(length, "big"))
            )
            self.wfile.write(len(answer).to_bytes(2, "big") + answer)


def _answer(zone: Zone, query: bytes) -> bytes:
    """RFC 1035: the zone's SOA at its top, TXT as the records say, and nothing else."""
    labels, at = list[str](), 12
    while length := query[at]:
        labels.append(query[at + 1 : at + 1 + length].decode().lower())
        at += 1 + length
    name = ".".join(labels)
    kind = struct.unpack("!H", query[at + 1 : at + 3])[0]
    found: list[bytes] = []
    if kind == TXT:
        texts = [str(each["content"]).strip('"') for each in zone.records.values() if each["name"] == name]
        found = [bytes([len(text)]) + text.encode() for text in texts]
    elif kind == SOA and name == zone.name:
        found = [
            _encoded(f"ns.{zone.name}") + _encoded(f"dns.{zone.name}") + struct.pack("!5I", 1, 9, 9, 9, 9)
        ]
    header = query[:2] + struct.pack("!5H", 0x8580, 1, len(found), 0, 0)
    rows = [b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 1, len(data)) + data for data in found]
    return header + query[12 : at + 5] + b"".join(rows)


def _encoded(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"
