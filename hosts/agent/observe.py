"""How each slot answers: `observe` (HAProxy's log), `probe` (our own requests), `stats` (HAProxy's counters).

A log line is `slipway <backend> <status> <ms to first byte> <ms in all> …` (templates/haproxy/web.cfg.j2).
The time to the first byte counts, not the total: a slow client must not look like a slow release. WebSockets
(101) and requests that the client aborted (-1) have no time.
"""

from __future__ import annotations

import math
import subprocess
import time

from . import haproxy, ready
from .errors import AgentError
from .host import Host, Paths
from .json_object import JsonObject
from .state import SLOTS, State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


class Seen:
    """The answers of one slot."""

    def __init__(self) -> None:
        self.count = 0
        self.errors = 0
        self.times: list[int] = []

    def to_json(self, release: int) -> dict[str, object]:
        """Percentiles in ms by nearest rank; 0 if there are no times."""
        self.times.sort()
        return {
            "release": release or None,
            "count": self.count,
            "errors": self.errors,
            "p50_ms": percentile(self.times, 0.50),
            "p95_ms": percentile(self.times, 0.95),
        }


def command(paths: Paths, host: Host, request: JsonObject) -> dict[str, object]:  # noqa: ARG001
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
    """Count by slot; lines of another form are other log lines of HAProxy."""
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
    """Nearest-rank percentile of sorted `times`; 0 if there are none."""
    return times[max(0, math.ceil(share * len(times)) - 1)] if times else 0


def probe(paths: Paths, host: Host, request: JsonObject) -> dict[str, object]:
    """See docs/agent.md, `probe`. Requests go through HAProxy, as users' requests do."""
    if not host.serves:
        raise AgentError("bad_request", f"{host.name} serves no traffic")
    state = State.load(paths)
    slot = request.text("slot", "live")
    if slot in state.slots:
        slot = "live" if slot == state.active else "idle"
    ports = {"live": paths.live_port, "idle": paths.candidate_port}
    if slot not in ports:
        raise AgentError("bad_request", f"probe.slot: must be live, idle, blue or green, got {slot!r}")
    record = state.live if slot == "live" else state.slots[state.idle]
    site = request.text("site", record.site if record else host.site)
    timeout = request.number("timeout", 5)
    probes: list[dict[str, object]] = []
    for _ in range(request.whole("count", 1)):
        status, took = ready.probe(ports[slot], request.text("path"), site, timeout)
        code = int(status) if status.isdigit() else 0
        probes.append({"status": code, "ms": round(took, 1), "error": None if code else status})
    return {"probes": probes}


_COUNTERS = (
    *("req_tot", "scur", "stot", "hrsp_1xx", "hrsp_2xx", "hrsp_3xx", "hrsp_4xx", "hrsp_5xx"),
    *("econ", "eresp", "wretr", "wredis", "rtime", "ttime"),
)
"""HAProxy's own names (management guide, 9.1); rtime and ttime are its averages of the last 1024, in ms."""


def stats(paths: Paths, host: Host, request: JsonObject) -> dict[str, object]:  # noqa: ARG001
    """See docs/agent.md, `stats`."""
    if not host.serves:
        raise AgentError("bad_request", f"{host.name} serves no traffic")
    rows = haproxy.stat(paths)
    slots: dict[str, object] = {}
    for slot in SLOTS:
        backend = next(row for row in rows if row["pxname"] == f"slot_{slot}" and row["type"] == "1")
        counters: dict[str, object] = {name: int(backend.get(name) or 0) for name in _COUNTERS}
        counters["up"] = sum(row["status"].startswith("UP") for row in haproxy.servers(rows, slot))
        slots[slot] = counters
    return {"slots": slots}
