"""Stats: HAProxy's own counters of each slot's backend, since it was started."""

from __future__ import annotations

from . import haproxy
from .errors import AgentError
from .fields import Fields
from .host import Host
from .paths import Paths
from .slot import SLOTS

_COUNTERS = {
    "requests": "req_tot",
    "1xx": "hrsp_1xx",
    "2xx": "hrsp_2xx",
    "3xx": "hrsp_3xx",
    "4xx": "hrsp_4xx",
    "5xx": "hrsp_5xx",
    "sessions": "scur",
    "retries": "wretr",
    "redispatches": "wredis",
    "connection_errors": "econ",
    "response_errors": "eresp",
    "average_ms": "ttime",
}


def command(paths: Paths, host: Host, request: Fields) -> dict[str, object]:  # noqa: ARG001
    """See docs/agent.md, `stats`."""
    if not host.serves:
        raise AgentError("bad_request", f"{host.name} serves no traffic")
    rows = haproxy.stat(paths)
    slots: dict[str, object] = {}
    for name in SLOTS:
        backend = next((row for row in rows if row["pxname"] == f"slot_{name}" and row["type"] == "1"), {})
        counters: dict[str, object] = {
            key: int(backend.get(column) or 0) for key, column in _COUNTERS.items()
        }
        counters["up"] = sum(row["status"].startswith("UP") for row in haproxy.servers(rows, name))
        slots[name] = counters
    return {"slots": slots}
