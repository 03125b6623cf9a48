"""Clients that are slow, idle, or send more than anyone needs (X7, X9)."""

from __future__ import annotations

import ssl
import time
from contextlib import ExitStack

import httpx

from checks.kit.background import Background, begun_early
from checks.kit.check import check
from checks.kit.site import Site

SLOW_SECONDS = 30.0
"""Longest time that a client may take for the headers of one request."""
HEADERS = 1000
"""More than any browser sends."""
SLOW_CLIENTS = 200
"""Slow clients at once, from one address."""
SLOW_ANSWER = 2.0
"""Longest time that others may wait meanwhile."""


@begun_early
def slow_headers(site: Site) -> float | None:
    """Seconds until a client is cut off that sends a header line a second; None: it was not."""
    with site.connect() as connection:
        connection.sendall(f"GET / HTTP/1.1\r\nHost: {site.authority}\r\n".encode())
        return _until_closed(connection, SLOW_SECONDS + 5, every=1.0, line=b"X-Slow: 1\r\n")


@begun_early
def idle_connection(site: Site) -> float | None:
    """Seconds until a connection is closed on which nothing is sent after one request; None: it was not."""
    with site.connect() as connection:
        path = site.live.cheap_path
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {site.authority}\r\n\r\n".encode())
        connection.recv(65_536)
        return _until_closed(connection, site.live.app.limits.idle_seconds + 5)


@check(
    "X9",
    "X7",
    severity="medium",
    asvs="4.3.1",
    standard="CVE-2011-3192",
    why="each header costs memory and time in every part that reads it",
    remedy="edge.cfg: tune.http.maxhdr; answer 400 or 431 beyond about a hundred headers",
    spends="some",
)
def test_a_flood_of_headers_is_refused(site: Site) -> None:
    many = [(f"X-Flood-{number}", "1") for number in range(HEADERS)]
    with site.new_client({}) as client:
        try:
            status = client.get("/", headers=many).status_code
        except httpx.TransportError:
            return
    assert status in (400, 413, 431), f"{HEADERS} headers are answered with {status}"


@check(
    "X7",
    "X9",
    severity="high",
    asvs="2.4.1",
    standard="OWASP DoS: slowloris",
    why="a few clients that send a byte now and then can hold every connection of the site",
    remedy="edge.cfg: timeout http-request",
    deep=True,
    waits_for=(slow_headers,),
)
def test_slow_headers_are_cut_off(background: Background) -> None:
    after = background.result(slow_headers)
    assert after is not None, (
        f"a client that sends a header a second is still served after {SLOW_SECONDS:g} s"
    )


@check(
    "X7",
    severity="medium",
    asvs="2.4.1",
    why="connections that stay open without a request use up what others need",
    remedy="edge.cfg: timeout http-keep-alive (limits.idle_seconds in slipway.toml)",
    deep=True,
    waits_for=(idle_connection,),
)
def test_idle_connections_are_closed(site: Site, background: Background) -> None:
    after = background.result(idle_connection)
    seconds = site.live.app.limits.idle_seconds
    assert after is not None, f"an idle connection is open after {seconds + 5} s; {seconds} s are declared"


@check(
    "X7",
    "I1",
    severity="high",
    asvs="2.4.1",
    standard="OWASP DoS: slowloris",
    why="one machine with many slow connections must not keep everybody else out",
    remedy="edge.cfg: maxconn far above what one address may hold, and timeout http-request",
    deep=True,
    spends="some",
)
def test_slow_clients_keep_no_one_out(site: Site) -> None:
    with ExitStack() as stack:
        for _ in range(SLOW_CLIENTS):
            try:
                slow = stack.enter_context(site.connect())
                slow.sendall(f"GET / HTTP/1.1\r\nHost: {site.authority}\r\nX-".encode())
            except (OSError, ssl.SSLError):
                break  # the site limits them, which is as good
        began = time.monotonic()
        status = site.get(site.live.cheap_path).status_code
        seconds = time.monotonic() - began
    assert status == 200, f"with {SLOW_CLIENTS} slow clients others are answered with {status}"
    assert seconds <= SLOW_ANSWER, f"with {SLOW_CLIENTS} slow clients others wait {seconds:.1f} s"


def _until_closed(
    connection: ssl.SSLSocket, at_most: float, *, every: float = 1.0, line: bytes = b""
) -> float | None:
    """Seconds until the server answers or closes, while `line` is sent again and again; None: it did not."""
    began = time.monotonic()
    connection.settimeout(every)
    while time.monotonic() - began < at_most:
        try:
            if line:
                connection.sendall(line)
            connection.recv(65_536)
        except TimeoutError:
            continue
        except OSError:
            pass
        return time.monotonic() - began
    return None
