"""A web host's part of HAProxy: the slot map, the candidate listener, and a check of every instance."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

from dataclasses import dataclass

from pyinfra.context import host as current_host
from pyinfra.facts.files import File

from hosts import haproxy
from hosts.agent.haproxy import STREAM_SECONDS
from hosts.agent.preview_record import PreviewPaths
from hosts.operations import install
from hosts.plan import BLUE_PORT, GREEN_PORT, FleetPlan
from hosts.render import render
from slipway.settings import Host

WEB_PEM = "/etc/haproxy/web.pem"
SLOTS_MAP = "/etc/haproxy/slots.map"
IDLE_SLACK = 15
"""Seconds beyond the load balancer's idle timeout."""


@dataclass(frozen=True)
class Slot:
    """A place for a release, and the ports its instances listen on."""

    name: str
    ports: tuple[int, ...]


def place(plan: FleetPlan, host: Host) -> list[str]:
    """The slot map, once: from then on it is the agent's, and a change of it needs no reload.

    Returns the path of the certificate that the edge verifies, if it does.
    """
    if not current_host.get_fact(File, path=SLOTS_MAP):
        install(name="slot map", src=empty_map(plan), dest=SLOTS_MAP)
    if not plan.tls_to_web:
        return []
    install(name="web certificate", src=plan.host_pems[host.name].read_bytes(), dest=WEB_PEM, mode="600")
    return [WEB_PEM]


def slots(plan: FleetPlan) -> list[Slot]:
    """Both slots, with a port for each instance of the web process."""
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
    """The text of haproxy.cfg of a host that is a web host only."""
    return haproxy.configuration(
        [part(plan)], lua=haproxy.BODY_LIMIT if plan.load_balancer else "", with_tls=False
    )


def part(plan: FleetPlan) -> str:
    """Both slots and, behind a load balancer, the limits."""
    return render(
        "haproxy/web.cfg.j2",
        idle_seconds=_idle_seconds(plan),
        stream_seconds=STREAM_SECONDS,
        check_seconds=haproxy.CHECK_SECONDS,
        response_seconds=plan.app.limits.response_seconds,
        purge_ms=_purge_ms(plan),
        slots_map=SLOTS_MAP,
        slots=slots(plan),
        site_host=plan.site_host,
        private_paths=plan.app.private_paths,
        tls_to_web=plan.tls_to_web,
        web_pem=WEB_PEM,
        behind_load_balancer=plan.load_balancer is not None,
        previews=PreviewPaths() if plan.load_balancer and plan.stack.previews else None,
        **(_as_edge(plan) if plan.load_balancer else {}),
    )


def _idle_seconds(plan: FleetPlan) -> int:
    """Seconds that a kept connection may be silent.

    The load balancer must be the one that closes it: a request sent just as the host closes gets 502.
    """
    own = plan.app.limits.idle_seconds
    return max(own, plan.load_balancer.idle_seconds + IDLE_SLACK) if plan.load_balancer else own


def _purge_ms(plan: FleetPlan) -> int:
    """Milliseconds between two looks for connections to the app that are not needed; 0: none is kept.

    HAProxy closes half of those each time. It has no upper limit for how long one may be idle, so the app may
    close one first: nothing is lost by that, see templates/haproxy/kept.cfg.j2.
    """
    return int(1000 * min(1, plan.app.keep_alive_seconds / 8))


def _as_edge(plan: FleetPlan) -> dict[str, object]:
    """What an edge's HAProxy does elsewhere: a load balancer does not know the app's limits."""
    limits = plan.app.limits
    return {
        "cloudflare": plan.stack.cloudflare is not None,
        "names": [plan.site_host.lower()],
        "load_digest": plan.load_digest,
        "requests_per_minute": limits.requests_per_minute,
        "connections_per_ip": limits.connections_per_ip,
        "body_bytes": limits.body_bytes,
    }
