"""Stats: HAProxy's own counters of each slot's backend, since it was started."""

from __future__ import annotations

from . import haproxy
from .errors import AgentError
from .fields import Fields
from .host import Host
from .paths import Paths
from .slot import SLOTS

_COUNTERS = (
    *("req_tot", "scur", "stot", "hrsp_1xx", "hrsp_2xx", "hrsp_3xx", "hrsp_4xx", "hrsp_5xx"),
    *("econ", "eresp", "wretr", "wredis", "rtime", "ttime"),
)
"""HAProxy's own names (management guide, 9.1); rtime and ttime are its averages of the last 1024, in ms."""


def command(paths: Paths, host: Host, request: Fields) -> dict[str, object]:  # noqa: ARG001
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
