"""Observe: how each slot answers, from HAProxy's request log in the journal.

A line is `slipway <backend> <status> <ms to first byte> <ms in all> …` (templates/haproxy/web.cfg.j2). Time
to the first byte counts, not time in all: a slow client must not look like a slow release. Sockets (101) and
requests that the client gave up (-1) have no time.
"""

from __future__ import annotations

import math
import subprocess
import time

from .fields import Fields
from .host import Host
from .paths import Paths
from .slot import SLOTS
from .state import State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


class Seen:
    """What one slot answered."""

    def __init__(self) -> None:
        self.count = 0
        self.errors = 0
        self.times: list[int] = []

    def to_json(self, release: int) -> dict[str, object]:
        """Percentiles in ms by nearest rank; 0 without a time."""
        self.times.sort()
        return {
            "release": release or None,
            "count": self.count,
            "errors": self.errors,
            "p50_ms": percentile(self.times, 0.50),
            "p95_ms": percentile(self.times, 0.95),
        }


def command(paths: Paths, host: Host, request: Fields) -> dict[str, object]:  # noqa: ARG001
    """See docs/agent.md, `observe`. `since` (default: 10 s ago) and `until` are by this host's clock."""
    state = State.load(paths)
    argv = ["journalctl", "--quiet", "--no-pager", "--output=cat", "--identifier=haproxy"]
    argv.append(f"--since=@{request.number('since', time.time() - 10):.6f}")
    if request.has("until"):
        argv.append(f"--until=@{request.number('until'):.6f}")
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as journal:
        seen = tally(journal.stdout or ())
    slots = {name: seen[name].to_json(state.slots[name].release) for name in SLOTS}
    return {"new": slots[state.active or "blue"], "old": slots[state.idle], "slots": slots}


def tally(lines: Iterable[bytes]) -> dict[str, Seen]:
    """Count by slot; lines of another shape are other logs of HAProxy's."""
    seen = {name: Seen() for name in SLOTS}
    for line in lines:
        words = line.split(None, 5)
        if len(words) < 5 or words[0] != b"slipway" or not words[1].startswith(b"slot_"):
            continue
        slot = seen.get(words[1][5:].decode(errors="replace"))
        if slot is None or not words[2].isdigit():
            continue
        slot.count += 1
        slot.errors += words[2].startswith(b"5")
        if words[2] != b"101" and words[3].isdigit():
            slot.times.append(int(words[3]))
    return seen


def percentile(times: list[int], share: float) -> int:
    """Nearest-rank percentile of sorted `times`; 0 of none."""
    return times[max(0, math.ceil(share * len(times)) - 1)] if times else 0
