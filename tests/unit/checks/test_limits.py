"""The check of chunked bodies, on servers that take them whole, in part, or not at all."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from checks.exposed.test_limits import test_a_chunked_body_over_the_limit_is_refused as check_chunked_bodies
from checks.kit.check import NotEvaluated

LIMIT = 1_048_576


@contextmanager
def served(answers_after: int, answer: bytes, cuts: int = 0) -> Generator[Any]:
    """A site that answers once it got so many bytes (0: once the body ends), and drops the rest.

    `cuts`: so many connections are cut in place of their answer.
    """
    left = [cuts]
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                with client:
                    got, answered, end = 0, False, b""
                    while part := client.recv(65_536):
                        got, end = got + len(part), (end + part)[-5:]
                        done = got >= answers_after if answers_after else end == b"0\r\n\r\n"
                        if done and left[0]:
                            left[0] -= 1
                            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                            break
                        if done and not answered:
                            client.sendall(b"HTTP/1.1 " + answer + b"\r\nContent-Length: 0\r\n\r\n")
                            answered = True

        threading.Thread(target=serve, daemon=True).start()
        app = SimpleNamespace(
            checks=SimpleNamespace(malformed=None), limits=SimpleNamespace(body_bytes=LIMIT)
        )

        def connect() -> socket.socket:
            return socket.create_connection(server.getsockname())

        yield SimpleNamespace(
            live=SimpleNamespace(app=app), authority="localhost", load_line="", connect=connect
        )


def test_a_body_that_is_refused_beyond_the_limit_passes() -> None:
    with served(LIMIT + 65_536, b"413 Content Too Large") as site:
        check_chunked_bodies(site)


def test_a_body_that_is_taken_whole_fails() -> None:
    with served(0, b"200 OK") as site, pytest.raises(AssertionError, match="answered with 200"):
        check_chunked_bodies(site)


def test_an_app_that_refuses_in_the_middle_of_the_body_says_nothing_of_the_limit() -> None:
    with served(200_000, b"405 Method Not Allowed") as site, pytest.raises(NotEvaluated, match="answers 405"):
        check_chunked_bodies(site)


def test_an_app_that_reads_no_body_says_nothing_of_the_limit() -> None:
    with served(1, b"405 Method Not Allowed") as site, pytest.raises(NotEvaluated, match="answers 405"):
        check_chunked_bodies(site)


def test_an_answer_that_is_lost_while_the_body_is_on_its_way_is_waited_for_again() -> None:
    """An app that closes upon its answer cuts the connection, and on a busy machine the answer with it."""
    with served(200_000, b"404 Not Found", cuts=1) as site, pytest.raises(NotEvaluated, match="answers 404"):
        check_chunked_bodies(site)


def test_a_site_that_never_answers_a_body_over_the_limit_fails() -> None:
    with (
        served(LIMIT + 65_536, b"413 Content Too Large", cuts=9) as site,
        pytest.raises(AssertionError, match="closed without an answer"),
    ):
        check_chunked_bodies(site)
