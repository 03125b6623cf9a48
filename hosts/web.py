"""A web host's HAProxy: the slot map, the candidate listener, and a check of every instance."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

from dataclasses import dataclass

from pyinfra.context import host
from pyinfra.facts.files import File

from hosts import haproxy
from hosts.effect import Effect, Placed
from hosts.file import HostFile
from hosts.placed import place
from hosts.plan import BLUE_PORT, GREEN_PORT, FleetPlan
from hosts.render import render
from slipway.settings.outputs import Host

PACKAGES = haproxy.PACKAGES
SLOTS_MAP = "/etc/haproxy/slots.map"
IDLE_SLACK = 15
"""Seconds beyond the load balancer's idle time-out."""


@dataclass(frozen=True)
class Slot:
    """A place for a release, and the ports its instances listen on."""

    name: str
    ports: tuple[int, ...]


def files(plan: FleetPlan, _host: Host) -> list[HostFile]:
    """HAProxy's configuration and what it refers to. The map is not here: it is the agent's."""
    counts = [haproxy.body_limit_file()] if plan.aws else []
    return [*haproxy.common_files(), *counts, haproxy.config_file(configuration(plan))]


def users(plan: FleetPlan, _host: Host) -> None:
    """What there must be, if there is none."""
    if not host.get_fact(File, path=SLOTS_MAP):
        place(name="slot map", files=seeds(plan))


def seeds(plan: FleetPlan) -> list[HostFile]:
    """A map in which nothing is live yet. Placed once: from then on it is the agent's."""
    return [HostFile(SLOTS_MAP, empty_map(plan))]


def effects(_plan: FleetPlan, _host: Host, placed: Placed) -> list[Effect]:
    """Serve it."""
    used = [placed[path] for path in (haproxy.CONFIG, haproxy.BODY_LIMIT) if path in placed]
    return haproxy.serve(*used)


def slots(plan: FleetPlan) -> list[Slot]:
    """Both slots, with as many ports as slipway.toml asks for instances."""
    count = range(1, plan.web_instances + 1)
    return [
        Slot("blue", tuple(BLUE_PORT + i for i in count)),
        Slot("green", tuple(GREEN_PORT + i for i in count)),
    ]


def empty_map(plan: FleetPlan) -> str:
    """The map before the first release: `set map` needs its keys to exist."""
    ready = plan.app.web.ready if plan.app.web else "/ready"
    return f"active none\nidle blue\nready-blue {ready}\nready-green {ready}\n"


def configuration(plan: FleetPlan) -> str:
    """haproxy.cfg of a web host."""
    return render(
        "haproxy/web.cfg.j2",
        maxconn=haproxy.MAX_CONNECTIONS,
        idle_seconds=_idle_seconds(plan),
        stream_seconds=haproxy.STREAM_SECONDS,
        slots_map=SLOTS_MAP,
        slots=slots(plan),
        site_host=plan.site_host,
        private_paths=plan.app.private_paths,
        behind_load_balancer=plan.aws,
        **(_as_edge(plan) if plan.aws else {}),
    )


def _idle_seconds(plan: FleetPlan) -> int:
    """How long a kept connection may be silent. AWS's load balancer must be the one that closes it: a request
    that it sends just as the host closes gets 502."""
    own = plan.app.limits.idle_seconds
    return max(own, plan.stack.aws.load_balancer.idle_seconds + IDLE_SLACK) if plan.stack.aws else own


def _as_edge(plan: FleetPlan) -> dict[str, object]:
    """What elsewhere the edge's HAProxy does: AWS's load balancer knows no limits of ours."""
    limits = plan.app.limits
    return {
        "cloudflare": plan.stack.cloudflare is not None,
        "names": [plan.site_host.lower()],
        "load_digest": plan.load_digest,
        "requests_per_minute": limits.requests_per_minute,
        "connections_per_ip": limits.connections_per_ip,
        "body_bytes": limits.body_bytes,
        "lua": haproxy.BODY_LIMIT,
    }
