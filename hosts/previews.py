"""What a host needs to carry previews (`slipway:previews`): the rest is the agent's, preview by preview."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

from pyinfra.context import host as current_host
from pyinfra.facts.files import File
from pyinfra.operations import systemd

from hosts.agent.preview_data import TEMPLATES
from hosts.agent.preview_record import PreviewPaths
from hosts.data import redis
from hosts.data.s3 import BINARY
from hosts.operations import install
from hosts.plan import FleetPlan
from hosts.render import render
from hosts.units import UNITS, at_boot, daemon_reload
from slipway.settings import Host

PACKAGES: tuple[str, ...] = ()
SITES, UPLOADS = PreviewPaths().sites_map, PreviewPaths().uploads_map
"""Host name → port, for HAProxy; the agent's from the first set-up on."""
OWN_REDIS = "redis-server.service"
"""Debian starts it as soon as the package is there."""
_RESTORE = "slipway-previews.service"


def deploy(plan: FleetPlan, host: Host) -> None:
    """Templates of a preview's database and servers, and the unit that starts previews after a reboot.

    Without a data host, databases are made on a server elsewhere and uploads are S3's; Redis is here.
    """
    if not plan.stack.previews:
        return
    here = host.is_any("data")
    install(name="preview roles", src=roles_sql(here=here), dest=f"{TEMPLATES}/roles.sql")
    install(name="preview redis", src=redis_conf(), dest=f"{TEMPLATES}/redis.conf")
    units = {
        "preview-redis@.service": render("previews/redis.service.j2"),
        _RESTORE: render("previews/restore.service.j2"),
    }
    if here:
        units["preview-s3@.service"] = render("previews/s3.service.j2", binary=BINARY)
    else:
        systemd.service(name="no Redis for all", service=OWN_REDIS, running=False, enabled=False)
    for name, text in units.items():
        install(name=name, src=text, dest=f"{UNITS}/{name}")
    daemon_reload(*(f"{UNITS}/{name}" for name in units))
    at_boot(_RESTORE)


def place() -> list[str]:
    """The maps of host names, once: from then on they are the agent's. Returns their paths."""
    for path in (SITES, UPLOADS):
        if not current_host.get_fact(File, path=path):
            install(name=f"map {path}", src="", dest=path)
    return []


def packages(plan: FleetPlan, host: Host) -> tuple[str, ...]:
    """Redis, where no data host's set-up brings it."""
    wanted = plan.stack.previews and host.is_any("web") and not host.is_any("data")
    return redis.PACKAGES if wanted else ()


def roles_sql(*, here: bool) -> str:
    """SQL of a preview's database, with what is its own between @; `here`: PostgreSQL is on the host."""
    return render(
        "previews/roles.sql.j2" if here else "previews/rds_roles.sql.j2",
        database="@database@",
        owner="@database@_owner",
        app="@database@_app",
        owner_verifier="@owner_verifier@",
        app_verifier="@app_verifier@",
    )


def redis_conf() -> str:
    """Configuration of a preview's own Redis, with what is its own between @."""
    return render("previews/redis.conf.j2", commands=redis.COMMANDS)
