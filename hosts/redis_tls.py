"""Redis by TLS between the servers of a fleet: a proxy on the data host, and one on every host of the app.

The app finds Redis on 127.0.0.1 of its own host, in plain and by its password, as on the data host itself.
Between the hosts both sides prove who they are by certificates of the fleet's authority. stunnel is at both
ends, because Redis listens in plain on each address that it listens on by TLS.
"""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

from pyinfra.operations import systemd

from hosts.base import CA
from hosts.operations import install, on_change
from hosts.plan import REDIS_TLS_PORT, FleetPlan
from hosts.render import render
from hosts.units import UNITS, unit
from slipway.settings import Host

PACKAGES = ("stunnel4",)
USER = "stunnel4"
"""Made by the package."""
SERVICE = "slipway-redis-tls.service"
CONFIG, PEM = "/etc/slipway/redis-tls.conf", "/etc/slipway/redis-tls.pem"


def wanted(plan: FleetPlan, host: Host) -> bool:
    """Does `host` send what is for Redis to another host, or take it from one?"""
    return host in clients(plan) or (host == plan.data and bool(clients(plan)))


def clients(plan: FleetPlan) -> list[Host]:
    """Hosts of the app that reach Redis on another host by TLS."""
    return plan.outputs.redis_clients if plan.data else []


def deploy(plan: FleetPlan, host: Host) -> None:
    """Certificate, configuration, and the service. A reload reads both again; open connections live on."""
    pems = plan.host_pems if host == plan.data else plan.redis_pems
    install(name="redis certificate", src=pems[host.name].read_bytes(), dest=PEM, group=USER, mode="640")
    install(name=CONFIG, src=configuration(plan, host), dest=CONFIG)
    unit(SERVICE)
    # Before it is started: a signal that comes before stunnel expects one would end it.
    restart = f"systemctl try-restart {SERVICE}"
    on_change(name="redis by tls restart", files=[f"{UNITS}/{SERVICE}"], command=restart)
    reload = f"systemctl try-reload-or-restart {SERVICE}"
    on_change(name="redis by tls reload", files=[CONFIG, PEM, CA], command=reload)
    systemd.service(name="redis by tls", service=SERVICE, running=True, enabled=True)


def configuration(plan: FleetPlan, host: Host) -> str:
    """The text of stunnel's configuration on `host`."""
    data = plan.data
    assert data is not None, "clients() are of a data host"
    return render(
        "data/redis-tls.conf.j2",
        is_client=host != data,
        address=data.address,
        port=REDIS_TLS_PORT,
        ca=CA,
        pem=PEM,
        names=[each.name for each in clients(plan)] if host == data else [data.name],
    )
