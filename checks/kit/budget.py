"""This machine's own budget at the site's limits per address: spent by one check of one run at a time.

Runs on one machine share an address. A lock keeps them from spending each other's budget; the checks that use
it up come last, and then the edge forgets what this address has sent.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from checks.kit.haproxy import ask
from checks.kit.hosts import Hosts
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


def give_back(live: LiveStack, hosts: Hosts) -> None:
    """Let the edge forget the address that is over its limit, so that the next run starts with a full budget.

    Where there is no edge host (aws), the minute of the limit has to pass.
    """
    most = live.app.limits.requests_per_minute
    for edge in hosts.of("edge"):
        # An edge that is out of reach by now is another check's failure.
        with suppress(RuntimeError):
            for key in keys_of(ask(edge, f"show table {TABLE} data.http_req_rate gt {most}")):
                ask(edge, f"clear table {TABLE} key {key}")


def keys_of(shown: str) -> list[str]:
    """The addresses in what `show table` prints. Pure."""
    words = (word for line in shown.splitlines() for word in line.split() if word.startswith("key="))
    return [word.removeprefix("key=") for word in words]
