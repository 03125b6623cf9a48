"""This machine's own budget at the site's limits per address: spent by one check of one run at a time.

Runs on one machine share an address. A lock keeps them from spending each other's budget. Before each check
that spends, and after the last one, the edge forgets what this address has sent: no run trips over another.
"""

from __future__ import annotations

import fcntl
import functools
import ipaddress
import json
import secrets
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from checks.kit.check import CouldNotBeTried, NotEvaluated
from checks.kit.haproxy import ask, logged
from checks.kit.hosts import Host, Hosts
from checks.kit.site import Site
from slipway.stack import LiveStack

LONGEST_WAIT = 120.0
"""Seconds to wait for another run; then this one goes on."""
TABLE = "clients"


@contextmanager
def held(live: LiveStack) -> Generator[None]:
    """Wait until no other run of this stack's checks spends the budget, and keep others waiting."""
    path = lock_of(live)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        ends = time.monotonic() + LONGEST_WAIT
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > ends:
                    break
                time.sleep(0.1)
        yield


def lock_of(live: LiveStack) -> Path:
    """The file whose lock says that a run spends the budget."""
    return live.state_dir / "checks" / "address.lock"


def renew(site: Site, hosts: Hosts) -> None:
    """Let the edge forget what this machine has sent within the last minute.

    Where there is no edge host (aws), the minute of the limit has to pass.
    """
    # An edge that is out of reach is another check's failure; a key of CI may not ask it.
    with suppress(RuntimeError, LookupError, httpx.TransportError, NotEvaluated, CouldNotBeTried):
        for edge in hosts.of("edge"):
            # Not `clear table`: it leaves an entry that an open connection uses as it is.
            ask(edge, f"set table {TABLE} key {key_of(_address(site, edge))} data.http_req_rate 0")


@functools.cache
def _address(site: Site, edge: Host) -> str:
    """This machine's address as `edge` logs it for a request. LookupError: it logs nothing."""
    mark = f"check-{secrets.token_hex(8)}"
    site.get(site.live.cheap_path, headers={"X-Request-Id": mark})
    for line in logged([edge], [mark], "{").splitlines():
        with suppress(ValueError, KeyError):
            return str(json.loads(line)["client"])
    raise LookupError(f"the edge's log has no line of {mark}")


def key_of(address: str) -> str:
    """The table's key of an address: an IPv6 client owns a /64, and IPv4 is written as IPv6. Pure."""
    found = ipaddress.ip_address(address)
    if isinstance(found, ipaddress.IPv4Address):
        return f"::ffff:{found}"
    if found.ipv4_mapped:
        return f"::ffff:{found.ipv4_mapped}"
    return str(ipaddress.ip_network((int(found), 64), strict=False).network_address)
