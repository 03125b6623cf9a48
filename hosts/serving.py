"""A host that takes requests: one HAProxy, which is the edge, a web host, or both."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

from hosts import acme, edge, haproxy, previews, web
from hosts.plan import FleetPlan
from slipway.settings import Host

PACKAGES = haproxy.PACKAGES


def deploy(plan: FleetPlan, host: Host) -> None:
    """HAProxy, after everything that its configuration refers to."""
    haproxy.deploy()
    files: list[str] = []
    if host.is_any("edge"):
        files += edge.place(plan)
    if host.is_any("web"):
        files += web.place(plan, host)
    if plan.stack.previews:
        files += previews.place()
    if needs_lua(plan, host):
        files.append(haproxy.body_limit())
    haproxy.serve(configuration(plan, host), *files)
    if host.is_any("edge") and plan.acme is None:
        acme.clear()


def needs_lua(plan: FleetPlan, host: Host) -> bool:
    """Are bodies counted here? Once is enough: by the edge, or behind a load balancer by the web host."""
    return host.is_any("edge") or plan.load_balancer is not None


def configuration(plan: FleetPlan, host: Host) -> str:
    """The text of haproxy.cfg. Names, ports and connections of both parts fit into one process."""
    parts: list[str] = []
    if host.is_any("edge"):
        parts.append(edge.part(plan, own=host if host.is_any("web") else None))
    if host.is_any("web"):
        parts.append(web.part(plan))
    lua = haproxy.BODY_LIMIT if needs_lua(plan, host) else ""
    return haproxy.configuration(parts, lua=lua, with_tls=host.is_any("edge") or plan.tls_to_web)
