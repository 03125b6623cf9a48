"""What a server accepts is found by real handshakes, also in what our own client refuses to speak."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Generator
from pathlib import Path

import pytest

from checks.exposed.hello import MODERN, PERMITTED, SUITES, VERSIONS, Door, accepted, offer
from tests.unit.checks.tls_server import self_signed


@contextlib.contextmanager
def serving(context: ssl.SSLContext | None) -> Generator[Door]:
    """A server that shakes hands by `context`; None: one that answers in plain HTTP."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    plain, _ = server.accept()
                except OSError:
                    return
                with plain, contextlib.suppress(OSError):
                    if context is None:
                        plain.recv(4096)
                        plain.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                    else:
                        context.wrap_socket(plain, server_side=True).close()

        threading.Thread(target=serve, daemon=True).start()
        yield Door("the site", server.getsockname(), "localhost")
        server.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def context(tmp_path: Path) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(self_signed(tmp_path))
    return made


def test_a_weak_suite_is_found_beside_good_ones(context: ssl.SSLContext) -> None:
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(
        "ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA:ECDHE-ECDSA-AES128-GCM-SHA256:@SECLEVEL=0"
    )
    with serving(context) as door:
        found = {hello.suite_name for hello in accepted(door, VERSIONS["TLS 1.2"], SUITES - PERMITTED)}
    assert found == {"ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA"}


def test_a_server_with_good_suites_accepts_no_others(context: ssl.SSLContext) -> None:
    context.set_ciphers("ECDHE+AESGCM")
    with serving(context) as door:
        for version in ("TLS 1.2", "TLS 1.3"):
            assert accepted(door, VERSIONS[version], SUITES - PERMITTED) == []
        hello = offer(door, VERSIONS["TLS 1.3"], MODERN)
        assert hello is not None
        assert hello.version_name == "TLS 1.3"
        assert offer(door, VERSIONS["TLS 1.2"], PERMITTED - MODERN) is not None
        assert [offer(door, VERSIONS[old], SUITES - MODERN) for old in ("SSL 3.0", "TLS 1.0", "TLS 1.1")] == [
            None
        ] * 3


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_old_version_is_found(context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with serving(context) as door:
        hello = offer(door, VERSIONS["TLS 1.0"], SUITES - MODERN)
    assert hello is not None
    assert hello.version_name == "TLS 1.0"


def test_what_speaks_no_tls_is_named() -> None:
    with serving(None) as door, pytest.raises(AssertionError, match="does not speak TLS"):
        offer(door, VERSIONS["TLS 1.2"], PERMITTED)
