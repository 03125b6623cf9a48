"""What an edge needs to get the site's certificate by itself (`slipway:acme`): the rest is the agent's."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import json

from pyinfra.context import host as current_host
from pyinfra.facts.files import File
from pyinfra.operations import files, server, systemd

from hosts.operations import install
from hosts.plan import FleetPlan
from hosts.units import UNITS, unit
from slipway.settings import Host

PACKAGES = ("lego",)

PEM = "/etc/haproxy/acme.pem"
"""What HAProxy serves: the agent's from the first set-up on."""
SETTINGS, KEY, ROOTS = "/etc/slipway/acme.json", "/etc/slipway/acme.key", "/etc/slipway/acme-roots.pem"
TOKEN = "/etc/slipway/acme-cloudflare.token"  # noqa: S105 - a path
SERVICE, TIMER = "slipway-certificate.service", "slipway-certificate.timer"


def wanted(plan: FleetPlan, host: Host) -> bool:
    """Does `host` get a certificate by itself?"""
    return plan.acme is not None and host.is_any("edge")


def place(site_pem: bytes) -> None:
    """The certificate that is served until one is issued; once."""
    if not current_host.get_fact(File, path=PEM):
        install(name="first certificate", src=site_pem, dest=PEM, mode="600")


def deploy(plan: FleetPlan, _host: Host) -> None:
    """The account, and the timer by which the agent looks whether a certificate is due."""
    if (acme := plan.acme) is None:
        return
    settings = {
        "directory": acme.directory,
        "email": acme.email,
        "names": acme.names,
        "serve": acme.serve,
        "edges": len(plan.outputs.by_role("edge")),
        "thumbprint": acme.thumbprint,
        "challenge": acme.challenge,
    }
    install(name="acme settings", src=json.dumps(settings, indent=1), dest=SETTINGS, mode="600")
    install(name="acme account", src=acme.account_key, dest=KEY, mode="600")
    for path, text, mode in ((ROOTS, acme.roots, "644"), (TOKEN, acme.cloudflare_token, "600")):
        if text:
            install(name=path, src=text, dest=path, mode=mode)
        elif current_host.get_fact(File, path=path):
            files.file(name=f"no {path}", path=path, present=False)
    unit(SERVICE, TIMER)
    systemd.service(name="certificate timer", service=TIMER, running=True, enabled=True)


def clear() -> None:
    """Undo it on a host that had it. What was issued stays with the agent, for a return to it."""
    if not current_host.get_fact(File, path=f"{UNITS}/{TIMER}"):
        return
    systemd.service(name="no certificate timer", service=TIMER, running=False, enabled=False)
    for path in (SETTINGS, KEY, ROOTS, TOKEN, PEM, f"{UNITS}/{SERVICE}", f"{UNITS}/{TIMER}"):
        files.file(name=f"no {path}", path=path, present=False)
    server.shell(name="daemon-reload without it", commands=["systemctl daemon-reload"])
