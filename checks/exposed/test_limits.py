"""Limits for one client: requests, bodies, headers (X7, X8, X9)."""

from __future__ import annotations

import ssl
import time
from concurrent.futures import ThreadPoolExecutor

import httpx

from checks.kit.check import check, not_evaluated
from checks.kit.site import LOAD_HEADER, TIMEOUT, Site, declared_request

AT_ONCE = 16
EARLY = 0.5
"""Seconds in which an app that reads no body has answered."""
CLOSED = "the connection was closed without an answer"
PACE = 0.25
"""Seconds between the pieces of a body, for an app that answers at some point in it."""


@check(
    "X7",
    "X8",
    severity="high",
    asvs="2.4.1",
    standard="OWASP API4:2023",
    why="without a limit one client can use up the capacity; trusting X-Forwarded-For defeats the limit",
    remedy="count by the address that the own proxy appended: TRUSTED_PROXY_HOPS and the edge's limits",
    spends="all",
    needs=("checks.limited",),
)
def test_too_many_requests_are_refused_whatever_x_forwarded_for_says(site: Site) -> None:
    answers = _flood(site)
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused, (
        f"{len(answers)} requests within a minute, each with another X-Forwarded-For: none refused"
    )


@check(
    "X7",
    severity="low",
    asvs="2.4.1",
    why="a client with Retry-After does not retry at once",
    remedy="send Retry-After with 429",
    spends="all",
    needs=("checks.limited",),
)
def test_a_refused_client_gets_retry_after(site: Site) -> None:
    refused = next((answer for answer in _flood(site) if answer.status_code == 429), None)
    assert refused is not None, "nothing was refused"
    after = refused.headers.get("retry-after", "")
    assert after.isdecimal() and 1 <= int(after) <= 120, f"Retry-After is {after!r}"


@check(
    "X9",
    severity="high",
    asvs="4.3.1",
    standard="DevSec nginx-06",
    why="a body without a size limit can fill memory and disk",
    remedy="limits.body_bytes in slipway.toml; the edge refuses with 413",
)
def test_a_body_over_the_limit_is_refused(site: Site) -> None:
    path, most = _taker(site), site.live.app.limits.body_bytes
    status = _pour(site, path, f"Content-Length: {most + 1}", b"x" * 65_536, most + 1)
    assert status, CLOSED
    assert status == 413, f"{most + 1} bytes are answered with {status}"


@check(
    "X9",
    severity="high",
    asvs="4.3.1",
    why="a chunked body, which declares no size, must not bypass the limit",
    remedy="the edge counts chunked bodies too",
    ahead=True,
)
def test_a_chunked_body_over_the_limit_is_refused(site: Site) -> None:
    path, most = _taker(site), site.live.app.limits.body_bytes
    piece = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    total = most + 2 * 65_536
    status = _pour(site, path, "Transfer-Encoding: chunked", piece, total, most=most, begins=EARLY)
    if status != 413:
        # An app that reads a part of the body alone may answer, and close, while the rest is on its way.
        status = _pour(
            site, path, "Transfer-Encoding: chunked", piece, total, most=most, begins=EARLY, pace=PACE
        )
    assert status, CLOSED
    assert status == 413, f"a chunked body of more than {most} bytes is answered with {status}"


@check(
    "X9",
    severity="medium",
    asvs="4.3.1",
    why="headers without a size limit can exhaust memory",
    remedy="the edge's buffer bounds them",
    spends="some",
)
def test_headers_over_the_limit_are_refused(site: Site) -> None:
    with site.new_client({}) as client:
        try:
            status = client.get("/", headers={"X-Long": "x" * 100_000}).status_code
        except httpx.TransportError:
            return
    assert status in (400, 413, 431), f"100 kB of headers are answered with {status}"


@check(
    "X8",
    severity="high",
    asvs="4.1.3",
    why="an app that trusts Host can be made to generate links to an attacker's site",
    remedy="the edge refuses names that are not the site's",
)
def test_a_foreign_host_header_is_refused(site: Site) -> None:
    answer = site.get("/", headers={"Host": "evil.example"})
    assert answer.status_code >= 400, f"Host: evil.example is answered with {answer.status_code}"
    assert "evil.example" not in answer.text, "the answer repeats the foreign name"


@check(
    "X8",
    severity="high",
    asvs="4.1.3",
    why="a client must not be able to pretend to be a load test or another address",
    remedy="the edge removes X-Load-Test, X-Real-IP and X-Forwarded-* from requests and sets its own",
    spends="all",
    needs=("checks.limited",),
)
def test_headers_that_only_the_edge_may_set_have_no_effect(site: Site) -> None:
    method, path = declared_request(site, "limited")
    _flood(site)
    pretended = {
        "X-Load-Test": "verified", LOAD_HEADER: "guess", "X-Real-IP": "198.51.100.7",
        "Forwarded": "for=198.51.100.7", "True-Client-IP": "198.51.100.7", "CF-Connecting-IP": "198.51.100.7",
    }  # fmt: skip
    status = site.limited.request(method, path, headers=pretended).status_code
    assert status == 429, f"a client over its limit is accepted ({status}) with {', '.join(pretended)}"


_flooded: dict[str, list[httpx.Response]] = {}


def _flood(site: Site) -> list[httpx.Response]:
    """One client's requests, more than the limit, each from a pretended address; done once in a run."""
    method, path = declared_request(site, "limited")
    if path not in _flooded:
        most = (
            site.live.number(site.live.app.checks.requests_per_minute)
            or site.live.app.limits.requests_per_minute
        )

        def ask(number: int) -> httpx.Response:
            forwarded = {"X-Forwarded-For": f"203.0.113.{number % 250}, 198.51.100.{number % 250}"}
            return site.limited.request(method, path, headers=forwarded)

        with ThreadPoolExecutor(AT_ONCE) as pool:
            _flooded[path] = list(pool.map(ask, range(most + 20)))
    return _flooded[path]


def _taker(site: Site) -> str:
    """A path that accepts a body."""
    declared = site.live.app.checks.malformed
    return declared.partition(" ")[2] if declared else "/"


def _pour(
    site: Site,
    path: str,
    size: str,
    piece: bytes,
    total: int,
    *,
    most: int = 0,
    begins: float = 0.0,
    pace: float = 0.0,
) -> int:
    """Sends `piece` again and again, `total` bytes in all at most, until an answer comes; its status.

    0: the connection was closed, and whatever was answered is lost, as a client's system drops it then.
    `begins`, `pace`: seconds to wait after the first piece, and after each other. `most`: an app that answers
    before it got so many bytes does not take the body, so the check ends; 0 where the declared size alone
    decides. By hand: an answer that comes while the body is on its way is what a client library loses.
    """
    kind = f"{site.load_line}Content-Type: application/json\r\n{size}"
    with site.connect() as connection:
        connection.sendall(f"POST {path} HTTP/1.1\r\nHost: {site.authority}\r\n{kind}\r\n\r\n".encode())
        sent, start = 0, b""
        try:
            while sent < total and not (start := _arrived(connection)):
                connection.sendall(piece[: total - sent] if size.startswith("Content") else piece)
                time.sleep(pace if sent else begins)
                sent += len(piece)
            if not start and not size.startswith("Content"):
                # A body that is taken whole must end, or the app waits for more of it.
                connection.sendall(b"0\r\n\r\n")
        except OSError:
            pass  # closed on us: what was answered before is what counts
        early = bool(start) and 0 < most >= sent
        try:
            start = start or connection.recv(64)
        except OSError:
            start = b""
    if not start.startswith(b"HTTP/"):
        return 0
    status = int(start.split(b" ", 2)[1])
    if early and status != 413:
        not_evaluated(
            f"POST {path} answers {status} before it has read the body: declare checks.malformed in"
            " slipway.toml, a request whose body is read"
        )
    return status


def _arrived(connection: ssl.SSLSocket) -> bytes:
    """What can be read without waiting. Not by select(): TLS sends bytes of its own before an answer."""
    connection.settimeout(0)
    try:
        return connection.recv(64)
    except (ssl.SSLWantReadError, BlockingIOError):
        return b""
    finally:
        connection.settimeout(TIMEOUT)
