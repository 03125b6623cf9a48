"""A host on AWS: it looks after itself, and is reached through Systems Manager alone."""

from __future__ import annotations

from hosts.effect import Effect, Placed, running, take_up
from hosts.file import HostFile
from hosts.plan import FleetPlan
from hosts.render import render, verbatim
from slipway.settings.outputs import Host

PACKAGES = ("openssl", "postgresql-client")
OPERATOR = "admin"
"""Debian's own images have this user."""
KEY_READER = "slipway-keys"
"""Who looks up the operators' ssh keys: nobody else's business, so nobody else's user."""

SSHD = "/etc/ssh/sshd_config.d/11-slipway-aws.conf"
KEYS = "/usr/local/lib/slipway/instance-connect-keys"
INSTALL_SSM = "/usr/local/lib/slipway/install-ssm-agent"
CONVERGE = "slipway-converge.timer"
LEAVE = "slipway-leave.timer"
MEASURE = "slipway-measure.timer"
"""Web hosts only: the app's /metrics are on its web processes."""
_UNITS = "/etc/systemd/system"


def files(plan: FleetPlan, host: Host) -> list[HostFile]:
    """Who may come in, and timers: to follow the boot document, to drain when leaving, to measure."""
    region = plan.outputs.cloud.region if plan.outputs.cloud else plan.outputs.builds.region
    return [
        HostFile(KEYS, verbatim("aws/instance_connect_keys.py"), "0755"),
        HostFile(SSHD, render("aws/sshd.conf.j2", command=KEYS, reader=KEY_READER)),
        HostFile(
            "/etc/sudoers.d/slipway-operator",
            f"{OPERATOR} ALL=(ALL) NOPASSWD:ALL\n",
            "0440",
            check="visudo -cqf {}",
        ),
        HostFile(INSTALL_SSM, render("aws/install_ssm_agent.py.j2", region=region), "0755"),
        *_timer("converge"),
        *_timer("leave"),
        *(_timer("measure") if host.role == "web" else ()),
    ]


def effects(_plan: FleetPlan, host: Host, placed: Placed) -> list[Effect]:
    """Let operators in through Systems Manager only, and follow the boot document from now on."""
    return [
        take_up("operator keys", [placed[SSHD], placed[KEYS]], "sshd -t && systemctl reload-or-restart ssh"),
        take_up("session agent", [placed[INSTALL_SSM]], INSTALL_SSM),
        running(CONVERGE, LEAVE),
        *([running(MEASURE)] if host.role == "web" else ()),
    ]


def _timer(name: str) -> list[HostFile]:
    units = [f"slipway-{name}.{kind}" for kind in ("service", "timer")]
    return [HostFile(f"{_UNITS}/{unit}", verbatim(f"systemd/{unit}")) for unit in units]
