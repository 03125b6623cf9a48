"""Releases and rollbacks under load, by slipway and by its peers, on the same hosts in the same run.

    uv run python -m bench.peers [--stack local] [--runs 3] [--only NAME …] [--rps 300] [--sockets 100]
                                 [--json]

The stack must be up, with a release live. Each tool deploys the same app to the same web hosts and waits for
the same path; slipway as it does, the others to the stack's hosts beside it (`bench/peers/site.py`), behind a
HAProxy on the stack's edge. A release is a changed line of the app. Peers run no migration and no worker, and
sign, record and prove nothing. The meter runs through each command, from 4 s before it to 4 s after it.
Debian's capistrano and rsync are installed if they are missing, and ansible-core from PyPI into a virtual
environment of its own. Ends with 1 if slipway loses anything, or is less than 4 times faster than Ansible.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.peers.peer import PEERS, Peer, Slipway, install
from bench.peers.site import Bytes, Site, site_of
from bench.record import note, parser, record, record_spread
from slipway.stack import open_live
from slipway.traffic.target import Target, target_of

GOAL_TIMES = 4
"""How many times faster than the playbook a release must be."""
ASIDE_SECONDS = 4.0


@dataclass
class Seen:
    """What came of the runs of one peer."""

    release: list[float] = field(default_factory=list[float])
    rollback: list[float] = field(default_factory=list[float])
    meters: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    sent: list[Bytes] = field(default_factory=list[Bytes])

    def total(self, part: str, *names: str) -> int:
        """The sum of counts of the meter's reports."""
        return sum(meter[part][name] for meter in self.meters for name in names)


def main() -> int:
    wanted = parser(__doc__)
    wanted.add_argument("--stack", default="local")
    wanted.add_argument("--runs", type=int, default=3)
    wanted.add_argument("--only", action="append", choices=list(PEERS), help="may be given several times")
    wanted.add_argument("--rps", type=float, default=300)
    wanted.add_argument("--sockets", type=int, default=100)
    given = wanted.parse_args()
    install()
    live = open_live(given.stack)
    own = target_of(live, "meter")
    found: dict[str, Seen] = {}
    with ExitStack() as stack:
        stack.callback((live.app_dir / "public" / "bench.txt").unlink, missing_ok=True)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="slipway-peers-")))
        site = stack.enter_context(site_of(live, folder))
        theirs = own.model_copy(update={"address": site.address})
        for name in given.only or list(PEERS):
            peer = PEERS[name](site, folder / name)
            note(f"{peer.shown}: {given.runs} releases and rollbacks")
            if peer.needs_site:
                site.reset()
            target = theirs if peer.needs_site else own
            found[name] = measure(peer, site, target, given.runs, given.rps, given.sockets)
    how = f"{given.runs} runs, load average {os.getloadavg()[0]:.0f}"
    load = f"{how}; {given.rps:g} requests/s and {given.sockets} sockets"
    for name, seen in found.items():
        publish(name, seen, how, load)
    return verdict(found, how)


def measure(peer: Peer, site: Site, target: Target, runs: int, rps: float, sockets: int) -> Seen:
    """Two releases to warm up, then `runs` releases and rollbacks, each under the meter."""
    seen = Seen()
    peer.release()
    peer.release()
    for _ in range(runs):
        before = site.bytes()
        seen.release.append(metered(peer.release, target, rps, sockets, seen))
        seen.sent.append(site.bytes() - before)
        seen.rollback.append(metered(peer.rollback, target, rps, sockets, seen))
        if isinstance(peer, Slipway):
            peer.resume()
        note(f"  release {seen.release[-1]:.2f} s, rollback {seen.rollback[-1]:.2f} s, {seen.sent[-1]}")
    return seen


def metered(work: Callable[[], None], target: Target, rps: float, sockets: int, seen: Seen) -> float:
    """Seconds that `work` takes under the meter, whose report is added to `seen`."""
    sizes = ["--rps", str(rps), "--sockets", str(sockets), "--seconds", "600", "--json"]
    meter = subprocess.Popen(
        [sys.executable, "-m", "slipway.traffic.meter", *sizes],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert meter.stdin
        meter.stdin.write(target.model_dump_json())
        meter.stdin.close()
        meter.stdin = None
        time.sleep(ASIDE_SECONDS)
        began = time.perf_counter()
        work()
        took = time.perf_counter() - began
        time.sleep(ASIDE_SECONDS)
        meter.send_signal(signal.SIGINT)
        out, err = meter.communicate(timeout=60)
    finally:
        meter.kill()
        meter.wait()
    if not out:
        raise RuntimeError(f"the meter found nothing: {err}")
    report: dict[str, Any] = json.loads(out)
    requests, ends = report["requests"], report["sockets"]
    note(
        f"    {took:6.2f} s: {requests['lost'] + requests['errors']} of {requests['sent']} requests lost, "
        f"{ends['abnormal']} sockets cut, {ends['reconnected']} reconnected, "
        f"p99 {requests['ms']['p99']} ms {report['kinds'] or ''}"
    )
    seen.meters.append(report)
    return took


def publish(name: str, seen: Seen, how: str, load: str) -> None:
    """Record the figures of one peer."""
    record_spread(f"peers.{name}.release", seen.release, "s", how)
    record_spread(f"peers.{name}.rollback", seen.rollback, "s", how)
    record(f"peers.{name}.requests", seen.total("requests", "sent"), "", load)
    record(f"peers.{name}.lost", seen.total("requests", "lost", "errors"), "", load)
    record(f"peers.{name}.cut", seen.total("sockets", "abnormal"), "", load)
    again = f"{load}; closed in order, and opened again"
    record(f"peers.{name}.reconnected", seen.total("sockets", "reconnected"), "", again)
    waits = [meter["requests"]["ms"]["p99"] / 1000 for meter in seen.meters]
    record(f"peers.{name}.p99", statistics.median(waits), "s", load)
    sent = statistics.median(each.operator for each in seen.sent) / 1000
    record(f"peers.{name}.sent", sent, "kB", f"{how}; over ssh from the operator's machine to all hosts")
    pulled = statistics.median(each.bucket for each in seen.sent) / 1000
    record(f"peers.{name}.pulled", pulled, "kB", f"{how}; from the builds bucket by all hosts")


def verdict(found: dict[str, Seen], how: str) -> int:
    """1 if slipway lost anything or was too slow beside the playbook."""
    ours, playbook = found.get("slipway"), found.get("ansible")
    if ours is None:
        return 0
    lost = ours.total("requests", "lost", "errors") + ours.total("sockets", "abnormal")
    if playbook is None:
        return 1 if lost else 0
    times = statistics.median(playbook.release) / statistics.median(ours.release)
    record("peers.times", times, "times", f"{how}; the playbook's release beside slipway's")
    return 1 if lost or times < GOAL_TIMES else 0


if __name__ == "__main__":
    sys.exit(main())
