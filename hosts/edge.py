"""The edge's part of HAProxy: TLS, limits, and a web host for every client."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from hosts import acme, haproxy
from hosts.agent.haproxy import STREAM_SECONDS
from hosts.agent.preview_record import PreviewPaths
from hosts.operations import install
from hosts.plan import WEB_PORT, WEB_TLS_PORT, FleetPlan
from hosts.render import render
from slipway.settings import Host

SITE_PEM = "/etc/haproxy/site.pem"

PREVIEWS = PreviewPaths()
"""Where the agent keeps which host name leads to which preview."""

LOG_FIELDS = {
    "id": '"%[var(txn.rid)]"',
    "client": '"%ci"',
    "method": '"%HM"',
    "path": '"%[var(txn.rawpath),json(utf8s)]"',
    "status": "%ST",
    "first_byte_ms": "%Tr",
    "ms": "%Ta",
    "bytes": "%B",
    "host": '"%s"',
    "end": '"%tsc"',
    "load": '"%[var(txn.load)]"',
}
"""One JSON object a request. Never the query: it may hold tokens. `load`: 1 if it came with the load key."""


@dataclass(frozen=True)
class Uploads:
    """Where the edge sends browsers' uploads, and under which host name."""

    address: str
    bucket: str
    host: str
    by_host: bool
    """Do uploads have a separate host name on the site's port?"""


def place(plan: FleetPlan) -> list[str]:
    """The certificate. Returns its path."""
    pem = plan.site_pem.read_bytes()
    install(name="site certificate", src=pem, dest=SITE_PEM, mode="600")
    if plan.acme:
        acme.place(pem)
    return [SITE_PEM]


def configuration(plan: FleetPlan) -> str:
    """The text of haproxy.cfg of a host that is the edge only."""
    return haproxy.configuration([part(plan)], lua=haproxy.BODY_LIMIT, with_tls=True)


def part(plan: FleetPlan, *, own: Host | None = None) -> str:
    """TLS, limits and all web hosts. `own`: the web host that is in the same process."""
    limits = plan.app.limits
    return render(
        "haproxy/edge.cfg.j2",
        maxconn=haproxy.MAX_CONNECTIONS,
        beside_web=own is not None,
        idle_seconds=limits.idle_seconds,
        check_seconds=haproxy.CHECK_SECONDS,
        stream_seconds=STREAM_SECONDS,
        url=plan.outputs.url,
        site_pem=acme.PEM if plan.acme else SITE_PEM,
        acme=plan.acme,
        site_host=plan.site_host,
        names=_names(plan),
        load_digest=plan.load_digest,
        requests_per_minute=limits.requests_per_minute,
        connections_per_ip=limits.connections_per_ip,
        most_connections=limits.connections_per_ip + haproxy.SPARE_CONNECTIONS,
        body_bytes=limits.body_bytes,
        private_paths=plan.app.private_paths,
        log_format=_log_format(),
        uploads=uploads(plan),
        previews=PREVIEWS if plan.stack.previews else None,
        port=_port(plan),
        web=plan.outputs.by_role("web"),
        plain_port=WEB_PORT,
        tls_port=WEB_TLS_PORT,
        # What goes to the same process leaves no host.
        by_tls=[host.name for host in plan.outputs.by_role("web") if plan.tls_to_web and host != own],
    )


def uploads(plan: FleetPlan) -> Uploads | None:
    """Uploads, if the fleet keeps them on its own data host."""
    bucket, data = plan.outputs.uploads, plan.data
    if bucket is None or data is None:
        return None
    public = urlsplit(bucket.public_endpoint or "")
    name = public.hostname or ""
    return Uploads(data.address, bucket.bucket, name, bool(name) and name != plan.site_host)


def _port(plan: FleetPlan) -> str:
    """`:<port>` of the site's URL; empty for the usual one."""
    port = urlsplit(plan.outputs.url).port
    return f":{port}" if port and port != 443 else ""


def _names(plan: FleetPlan) -> list[str]:
    return list(dict.fromkeys(name.lower() for name in (plan.site_host, *plan.edge_names)))


def _log_format() -> str:
    inner = ",".join(f'"{name}":{value}' for name, value in LOG_FIELDS.items())
    escaped = inner.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{{{escaped}}}"'
