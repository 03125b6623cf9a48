"""How each slot answers: `observe` (HAProxy's log), `probe` (our own requests), `stats` (HAProxy's counters).

A log line is `slipway <backend> <status> <ms to first byte> <ms in all> <probe or -> …`
(templates/haproxy/web.cfg.j2). The time to the first byte counts, not the total: a slow client must not look
like a slow release. WebSockets (101) and requests that the client aborted (-1) have no time. HAProxy logs a
request when it ends, so those that still wait for their answer are looked up in its table of sessions.
"""

from __future__ import annotations

import math
import re
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
        self.probes = 0
        """How many of `count` answered our own probes, and `probe_errors` of `errors`."""
        self.probe_errors = 0
        self.slow = 0
        """Requests whose answer, or whose end without one, took `hung_seconds` or longer."""
        self.waiting = 0
        """Requests that have waited for their answer for `hung_seconds` or longer, and still do."""
        self.times: list[int] = []

    def to_json(self, release: int) -> dict[str, object]:
        """Percentiles in ms by nearest rank; 0 if there are no times."""
        self.times.sort()
        return {
            "release": release or None,
            "count": self.count,
            "errors": self.errors,
            "probes": self.probes,
            "probe_errors": self.probe_errors,
            "slow": self.slow,
            "waiting": self.waiting,
            "p50_ms": percentile(self.times, 0.50),
            "p95_ms": percentile(self.times, 0.95),
        }


def command(paths: Paths, host: Host, request: JsonObject) -> dict[str, object]:
    """See docs/agent.md, `observe`. The window is by this host's clock, from the moment of its own switch."""
    state = State.load(paths)
    since, until = window(state, request, time.time())
    argv = ["journalctl", "--quiet", "--no-pager", "--output=cat", "--identifier=haproxy"]
    argv.append(f"--since=@{since:.6f}")
    if until is not None:
        argv.append(f"--until=@{until:.6f}")
    hung = request.number("hung_seconds", 0)
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as journal:
        seen = tally(journal.stdout or (), hung)
    if hung and host.serves:
        limit = request.number("response_seconds", haproxy.STREAM_SECONDS)
        for slot, seconds in waits(haproxy.ask(paths, "show sess").splitlines(), limit).items():
            seen[slot].waiting = sum(each >= hung for each in seconds)
    slots = {name: seen[name].to_json(state.slots[name].release) for name in SLOTS}
    new, old = slots[state.active or "blue"], slots[state.idle]
    return {"active": state.active, "new": new, "old": old, "slots": slots}


def window(state: State, request: JsonObject, now: float) -> tuple[float, float | None]:
    """From when, and until when, log lines count. No other machine's clock has a say in it.

    `since_switch`: from the switch to the live release; `before_switch`: so many seconds up to it; else from
    `since` (default: 10 s ago) to `until`.
    """
    if request.has("before_switch") or request.flag("since_switch"):
        if state.live is None:
            raise AgentError("not_staged", "nothing is live on this host, so there was no switch")
        switched = state.live.since
        if request.has("before_switch"):
            return switched - request.number("before_switch"), switched
        return switched, None
    until = request.number("until") if request.has("until") else None
    return request.number("since", now - 10), until


def tally(lines: Iterable[bytes], hung_seconds: float = 0) -> dict[str, Seen]:
    """Count by slot; lines of another form are other log lines of HAProxy."""
    seen = {name: Seen() for name in SLOTS}
    slow_ms = hung_seconds * 1000 or math.inf
    for line in lines:
        words = line.split(None, 6)
        if len(words) < 5 or words[0] != b"slipway" or words[1][:5] not in (b"slot_", b"body_", b"last_"):
            continue
        slot = seen.get(words[1][5:].decode(errors="replace"))
        if slot is None:
            continue
        status, first, whole = words[2], words[3], words[4]
        if not status.isdigit():  # the client gave up
            slot.slow += not first.isdigit() and whole.isdigit() and int(whole) >= slow_ms
            continue
        failed, probe = status.startswith(b"5"), words[5:6] == [b"probe"]
        slot.count += 1
        slot.errors += failed
        slot.probes += probe
        slot.probe_errors += probe and failed
        if status != b"101" and first.isdigit():
            slot.times.append(int(first))
            slot.slow += not failed and int(first) >= slow_ms
    return seen


_WAITS = 0x400000
"""In `show sess`, the analyser that waits for a response's headers (AN_RES_WAIT_HTTP in HAProxy)."""
_SESSION = re.compile(
    r" be=(?:slot|body|last)_(\w+) .* rp\[f=\w+,i=\d+,an=([0-9a-f]+)h,"
    r"(?:rx=([^,]*),|ax=[^]]*\] .* scb=\[\w+,\w+,fd=-?\d+,rex=([^,]*),)"
)
"""The time that is left for the server's answer is `rx` of 2.6, and `rex` of the server's side since 2.8."""
_UNITS = {"d": 86_400, "h": 3600, "m": 60, "s": 1}


def waits(sessions: Iterable[str], response_seconds: float) -> dict[str, list[float]]:
    """By slot, for how many seconds each request has waited for its answer, from the lines of `show sess`.

    A session's age is that of its connection, so the wait is what has passed of its time limit: that of an
    answer (`response_seconds`) or that of a stream.
    """
    found: dict[str, list[float]] = {name: [] for name in SLOTS}
    for line in sessions:
        session = _SESSION.search(line)
        if session is None or session[1] not in found or not int(session[2], 16) & _WAITS:
            continue
        parts = re.findall(r"(\d+)([dhms])", session[3] or session[4] or "")
        if not parts:  # the request is still being sent
            continue
        left = sum(int(count) * _UNITS[unit] for count, unit in parts)
        limit = response_seconds if left <= response_seconds else haproxy.STREAM_SECONDS
        found[session[1]].append(max(0.0, limit - left))
    return found


def percentile(times: list[int], share: float) -> int:
    """Nearest-rank percentile of sorted `times`; 0 if there are none."""
    return times[max(0, math.ceil(share * len(times)) - 1)] if times else 0


def probe(paths: Paths, host: Host, request: JsonObject) -> dict[str, object]:
    """See docs/agent.md, `probe`. Requests go through HAProxy, as users' requests do.

    One that gets no answer is the last: the others would only wait in the same way.
    """
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
        if not code:
            break
    return {"answers": probes}


_COUNTERS = (
    *("req_tot", "scur", "stot", "hrsp_1xx", "hrsp_2xx", "hrsp_3xx", "hrsp_4xx", "hrsp_5xx"),
    *("econ", "eresp", "wretr", "wredis", "rtime", "ttime"),
)
"""HAProxy's own names (management guide, 9.1)."""
_AVERAGES = ("rtime", "ttime")
"""Over the last 1024 requests, in ms, while checks pass."""


def stats(paths: Paths, host: Host, request: JsonObject) -> dict[str, object]:  # noqa: ARG001
    """See docs/agent.md, `stats`."""
    if not host.serves:
        raise AgentError("bad_request", f"{host.name} serves no traffic")
    rows = haproxy.stat(paths)
    slots: dict[str, object] = {}
    for slot in SLOTS:
        checked, *last = haproxy.backends(rows, slot)
        counters: dict[str, object] = {
            name: int(checked.get(name) or 0)
            + (0 if name in _AVERAGES else sum(int(row.get(name) or 0) for row in last))
            for name in _COUNTERS
        }
        counters["up"] = sum(row["status"].startswith("UP") for row in haproxy.servers(rows, slot))
        slots[slot] = counters
    return {"slots": slots}
