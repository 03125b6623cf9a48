"""Writes while a stack is released, rolled back and reloaded: each is done once, or it is named.

    uv run python -m bench.writes [--minutes 10] [--rate 300] [--clients 64] [--restarts] [--json]

For the local stack of this project. Each POST makes a task of the example app, whose title is its number; in
the end the rows of the database are counted by title, and deleted. Meanwhile, again and again: a release of a
change, a rollback, a release of the same build (which restarts the app), a reload of each proxy. With
`--restarts` also `systemctl restart` of the app on one web host, which may lose a write that was just being
sent to it (docs/how-nothing-is-lost.md). Goals: none lost, none done twice.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import cycle
from pathlib import Path

from bench.record import note, parser, record
from tests.fleet.command import slipway
from tests.fleet.site import Site
from tests.fleet.writes import Writes, writes

CHANGED = "public/bench.txt"
TAIL_SECONDS = 5.0
"""After the last step, so that a write that it may have hurt is counted."""


def main() -> int:
    wanted = parser(__doc__)
    wanted.add_argument("--minutes", type=float, default=10)
    wanted.add_argument("--rate", type=float, default=300)
    wanted.add_argument(
        "--clients", type=int, default=64, help="each keeps a connection and waits for answers"
    )
    wanted.add_argument("--restarts", action="store_true", help="restart the app by systemctl too")
    given = wanted.parse_args()
    site = Site(Path.cwd())
    done: list[str] = []
    began = time.monotonic()
    ends = began + given.minutes * 60
    with ExitStack() as stack:
        stack.callback((site.app / CHANGED).unlink, missing_ok=True)
        found = stack.enter_context(writes(site, given.rate, given.clients))
        for name, step in steps(site, restarts=given.restarts):
            if time.monotonic() > ends - TAIL_SECONDS:
                break
            step()
            done.append(name)
            so_far = f"{found.sent} sent, {len(found.unanswered)} not 201"
            note(f"{time.monotonic() - began:6.1f} s  {name}; {so_far}")
        time.sleep(max(ends - time.monotonic(), TAIL_SECONDS))
    slipway(site.root, "resume")
    return judge(found, done, time.monotonic() - began)


def steps(site: Site, *, restarts: bool) -> Iterator[tuple[str, Callable[[], object]]]:
    """What happens to the stack, without end."""

    def change() -> None:
        slipway(site.root, "resume")
        (site.app / CHANGED).write_text(f"{time.time_ns()}\n")
        site.release()

    def back() -> None:
        ran = slipway(site.root, "rollback", "--json")
        if ran.code:
            raise RuntimeError(ran.out + ran.err)
        slipway(site.root, "resume")

    def reload(host: str) -> Callable[[], object]:
        return lambda: site.on(host, "systemctl reload haproxy")

    def restart(host: str) -> Callable[[], object]:
        return lambda: site.on(host, "systemctl restart 'slipway-web@*'")

    hosts = [host.name for host in site.outputs.by_role("web")]
    edges = [host.name for host in site.outputs.by_role("edge")]
    known: list[tuple[str, Callable[[], object]]] = [
        ("release of a change", change),
        ("rollback", back),
        ("release of the same build", site.release),
        *((f"reload of {host}'s proxy", reload(host)) for host in [*edges, *hosts]),
    ]
    if restarts:
        known += [(f"restart of the app on {host}", restart(host)) for host in hosts[:1]]
    return cycle(known)


def judge(found: Writes, done: list[str], seconds: float) -> int:
    """Record what came of the writes; 1 if one was lost or done twice."""
    how = f"{seconds / 60:.1f} minutes, load average {os.getloadavg()[0]:.0f}"
    lost, twice = found.lost, found.twice
    record("writes.sent", found.sent, "", how)
    record("writes.rate", found.sent / seconds, "/s", how)
    record("writes.lost", len(lost), "", f"{how}; answered with 201 or not")
    record("writes.twice", len(twice), "", how)
    record("writes.refused", len(found.unanswered), "", f"{how}; not answered with 201")
    kinds = ("release", "rollback", "reload", "restart")
    for kind in kinds:
        record(f"writes.{kind}s", sum(name.startswith(kind) for name in done), "", how)
    for text in [*found.unanswered[:20], *(f"lost: {name}" for name in lost[:20]), *twice[:20]]:
        note(f"  {text}")
    return 1 if lost or twice or found.unanswered else 0


if __name__ == "__main__":
    sys.exit(main())
