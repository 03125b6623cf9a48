"""Requests carry the signatures that botocore would make, and survive what goes wrong on the way."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials

from hosts.agent.sigv4 import Credentials
from slipway.storage.signed_http import SignedHttp, Unreachable

WRONG = timedelta(hours=3)
"""How far the server's clock is from this machine's."""


class Server(BaseHTTPRequestHandler):
    """Records each request; refuses signatures of another hour, as S3 does."""

    protocol_version = "HTTP/1.1"
    offset = timedelta()
    seen: list[tuple[str, str, Mapping[str, str]]]

    def answer(self) -> None:
        now = datetime.now(UTC) + self.offset
        length = int(self.headers.get("content-length", 0))
        self.rfile.read(length)
        self.seen.append((self.command, self.path, dict(self.headers)))
        signed = datetime.strptime(self.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        skewed = abs(now - signed) > timedelta(minutes=15)
        body = b"<Error><Code>RequestTimeTooSkewed</Code></Error>" if skewed else b"done"
        self.send_response_only(403 if skewed else 200)
        self.send_header("Date", format_datetime(now, usegmt=True))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = do_POST = answer

    def log_message(self, format: str, *args: Any) -> None:
        del format, args


@contextmanager
def serve(
    offset: timedelta = timedelta(), tls: ssl.SSLContext | None = None
) -> Generator[tuple[str, list[tuple[str, str, Mapping[str, str]]]]]:
    seen: list[tuple[str, str, Mapping[str, str]]] = []
    handler = type("Handler", (Server,), {"offset": offset, "seen": seen})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", seen
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("token", ["", "session-token"])
@pytest.mark.parametrize(
    ("service", "method", "path", "query"),
    [
        ("s3", "GET", "/bucket/stacks/prod/head.json", {}),
        ("s3", "PUT", "/bucket/odd key+ü~(1).json", {}),
        ("s3", "GET", "/bucket", {"list-type": "2", "prefix": "a b/c+d=", "start-after": "ü"}),
        ("s3", "POST", "/bucket/layer", {"uploads": ""}),
        ("ssm", "POST", "/", {}),
    ],
)
def test_a_signature_is_the_one_that_botocore_makes(
    service: str, method: str, path: str, query: dict[str, str], token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve() as (endpoint, seen):
        http = SignedHttp(endpoint, service, "eu-central-1", lambda: Credentials("AKID", "secret", token))
        http.request(method, path, query=query, headers={"X-Amz-Target": "T"}, body=b"body")
    _, sent_path, headers = seen[0]
    stamp = datetime.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ")

    def at_that_time() -> datetime:
        return stamp

    monkeypatch.setattr("botocore.auth.get_current_datetime", at_that_time)
    signed = {"Host": headers["host"], "X-Amz-Target": "T"}
    if service != "s3":
        signed["x-amz-content-sha256"] = headers["x-amz-content-sha256"]
    theirs = AWSRequest(method=method, url=endpoint + sent_path, headers=signed, data=b"body")
    theirs.context["payload_signing_enabled"] = True
    signer = S3SigV4Auth if service == "s3" else SigV4Auth
    signer(BotoCredentials("AKID", "secret", token or None), service, "eu-central-1").add_auth(theirs)
    assert headers["Authorization"] == theirs.headers["Authorization"]


def test_an_operator_whose_clock_is_wrong_signs_with_the_servers_time() -> None:
    with serve(WRONG) as (endpoint, seen):
        http = SignedHttp(endpoint, "s3", "us-east-1", lambda: Credentials("a", "b"))
        assert http.request("GET", "/bucket/key").content == b"done"
        assert http.request("GET", "/bucket/key").content == b"done"
    assert len(seen) == 3  # only the first request had to be repeated


def test_credentials_are_read_for_every_request_so_that_temporary_ones_can_be_renewed() -> None:
    accounts = iter([Credentials("first", "a", "t1"), Credentials("second", "b", "t2")])
    with serve() as (endpoint, seen):
        http = SignedHttp(endpoint, "s3", "us-east-1", lambda: next(accounts))
        http.request("GET", "/bucket/key")
        http.request("GET", "/bucket/key")
    assert [headers["x-amz-security-token"] for _, _, headers in seen] == ["t1", "t2"]
    assert "Credential=second/" in seen[1][2]["Authorization"]


@pytest.mark.parametrize(("name", "trusted"), [("data1.internal", True), ("other.internal", False)])
def test_tls_over_a_tunnel_verifies_the_servers_own_name(
    name: str, trusted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slipway.storage.signed_http._RETRY_AFTER", ())
    authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "server.pem"))
    tls.load_cert_chain(tmp_path / "server.pem")
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with serve(tls=tls) as (local_end, _):
        port = int(local_end.rpartition(":")[2])
        http = SignedHttp(
            "https://data1.internal:7070", "s3", "us-east-1", lambda: Credentials("a", "b"),
            connect=("127.0.0.1", port), ca_file=str(tmp_path / "ca.pem"),
        )  # fmt: skip
        if trusted:
            assert http.request("GET", "/bucket/key").content == b"done"
        else:
            with pytest.raises(Unreachable, match="certificate"):
                http.request("GET", "/bucket/key")


def test_a_server_that_is_down_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slipway.storage.signed_http._RETRY_AFTER", (0.01,))
    http = SignedHttp("http://127.0.0.1:9", "s3", "us-east-1", lambda: Credentials("a", "canary"))
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:9 cannot be reached") as caught:
        http.request("GET", "/bucket/key")
    assert "canary" not in repr(caught.value)


def test_credentials_are_not_shown() -> None:
    assert "canary" not in repr(Credentials("AKID", "canary", "canary"))
