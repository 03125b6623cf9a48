"""Probe: ask the live or the idle slot a few times, for when there is too little traffic to observe."""

from __future__ import annotations

from .errors import AgentError
from .fields import Fields
from .host import Host
from .paths import Paths
from .ready import probe
from .state import State


def command(paths: Paths, host: Host, request: Fields) -> dict[str, object]:
    """See docs/agent.md, `probe`. Through HAProxy, as users come."""
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
        status, took = probe(ports[slot], request.text("path"), site, timeout)
        code = int(status) if status.isdigit() else 0
        probes.append({"status": code, "ms": round(took, 1), "error": None if code else status})
    return {"probes": probes}
