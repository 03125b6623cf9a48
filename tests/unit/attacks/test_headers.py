"""Headers of a client through the real edge, and through a web host behind AWS's load balancer.

`test_no_forged_header…` found `X_Forwarded_For` before headers with an underscore were dropped;
`test_a_content_length…` found that from 2^31 on HAProxy took the length for a negative number.
"""

from __future__ import annotations

import itertools
import json
from contextlib import ExitStack
from pathlib import Path

import pytest

from hosts.plan import FleetPlan
from tests.unit.attacks.test_floods import connect, site

NAMES = ["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "x-original-url",
         "x-rewrite-url", "forwarded", "proxy", "true-client-ip", "cf-connecting-ip", "x-load-test",
         "x-slipway-load"]  # fmt: skip


def spellings(name: str) -> list[str]:
    """The ways to write a header that a CGI-like reader takes for it."""
    parts = name.split("-")
    joined = {"".join(made) for made in _joined(parts)}
    return sorted({*joined, *(each.upper() for each in joined), *(each.title() for each in joined)})


def _joined(parts: list[str]) -> list[tuple[str, ...]]:
    gaps = itertools.product("-_", repeat=len(parts) - 1)
    return [tuple(itertools.chain(*zip(parts, (*gap, ""), strict=True))) for gap in gaps]


def exchange(port: int, head: str) -> tuple[int, str]:
    connection = connect(port)
    assert connection is not None
    with connection:
        connection.sendall(head.encode())
        answer = b""
        while part := connection.recv(65_536):
            answer += part
    return int(answer.split(b" ", 2)[1]), answer.partition(b"\r\n\r\n")[2].decode()


def test_no_forged_header_reaches_the_app(plan: FleetPlan, tmp_path: Path):
    with site(plan, tmp_path) as port, ExitStack():
        for name in NAMES:
            forged = "".join(f"{each}: 6.6.6.6\r\n" for each in spellings(name))
            head = f"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{forged}\r\n"
            code, body = exchange(port, head)
            assert code == 200, name
            seen = json.loads(body)["headers"]
            assert "6.6.6.6" not in json.dumps(seen), name
            assert not [each for each in seen if "_" in each], name


@pytest.mark.parametrize("length", [2**63, 2**63 + 1, 2**64 - 1, 2**64, 10**30, 2**31, 2**32 + 5, -1])
def test_a_content_length_that_overflows_is_refused(plan: FleetPlan, tmp_path: Path, length: int):
    with site(plan, tmp_path) as port:
        head = f"POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
        assert exchange(port, head)[0] in (400, 413)
