"""What every host is, whatever its role: reachable by key only, firewalled, on time, patched."""

# pyright: reportUnknownMemberType=false

from __future__ import annotations

import json
from pathlib import Path

from pyinfra.operations import server

from hosts.effect import Effect, Placed, running, take_up
from hosts.file import HostFile
from hosts.firewall import FIREWALL, firewall_file
from hosts.folders import Folder, folders
from hosts.plan import BUILDS_READER, FleetPlan
from hosts.render import verbatim
from slipway.settings.outputs import Host

PACKAGES = (
    *("ca-certificates", "iproute2", "nftables", "openssh-server", "procps", "python3", "sudo"),
    *("systemd-timesyncd", "unattended-upgrades", "zstd"),
)

APP_USER = "slipway-app"
FOLDERS = (
    Folder("/etc/slipway"),
    Folder("/etc/slipway/env", "700"),
    Folder("/srv/slipway"),
    Folder("/srv/slipway/layers"),
    Folder("/srv/slipway/builds"),
    Folder("/srv/slipway/slots"),
    Folder("/var/lib/slipway", "700"),
)
AGENT = Path(__file__).parent / "agent"
CA = "/etc/slipway/ca.pem"
HOST_JSON = "/etc/slipway/host.json"
SSHD = "/etc/ssh/sshd_config.d/10-slipway.conf"
JOURNALD = "/etc/systemd/journald.conf.d/slipway.conf"
TIME = "/etc/systemd/timesyncd.conf.d/slipway.conf"
SYSCTL = "/etc/sysctl.d/60-slipway.conf"

_FIXED = {
    SSHD: "base/sshd.conf",
    JOURNALD: "base/journald.conf",
    TIME: "base/timesyncd.conf",
    SYSCTL: "base/sysctl.conf",
    "/etc/apt/apt.conf.d/52slipway-upgrades": "base/upgrades.conf",
    "/etc/systemd/system/slipway-firewall.service": "systemd/slipway-firewall.service",
    "/etc/systemd/system/slipway-restore.service": "systemd/slipway-restore.service",
}


def files(plan: FleetPlan, host: Host) -> list[HostFile]:
    """All files that a host of any role has."""
    return [
        *(HostFile(path, verbatim(template)) for path, template in _FIXED.items()),
        firewall_file(plan, host),
        HostFile(CA, plan.ca_file.read_bytes()),
        # On AWS every host writes its own: it alone knows its name and address when it starts.
        *([] if plan.aws else [HostFile(HOST_JSON, host_json(plan, host), "0600")]),
        *_agent_files(),
    ]


def users(_plan: FleetPlan, _host: Host) -> None:
    """The user that apps run as, and the folders that are not only root's to see."""
    server.user(  # noqa: S604 - `shell` is the login shell
        name=f"user {APP_USER}",
        user=APP_USER,
        system=True,
        shell="/usr/sbin/nologin",
        home="/nonexistent",
        create_home=False,
    )
    folders(name="folders", wanted=FOLDERS)


def effects(_plan: FleetPlan, _host: Host, placed: Placed) -> list[Effect]:
    """Put the files into effect. Nothing here interrupts what the host serves."""
    return [
        take_up("sshd reload", [placed[SSHD]], "sshd -t && systemctl reload-or-restart ssh"),
        take_up(
            "journald restart",
            [placed[JOURNALD]],
            "install -d -m 2755 -g systemd-journal /var/log/journal && systemctl restart systemd-journald"
            " && journalctl --flush",
        ),
        # A container's kernel settings are its host's; a key may be unknown to an older or newer kernel.
        take_up(
            "sysctl",
            [placed[SYSCTL]],
            f"{{ systemd-detect-virt --container --quiet || sysctl --ignore --quiet --load {SYSCTL}; }}",
        ),
        running(
            "slipway-firewall.service",
            *("apt-daily.timer", "apt-daily-upgrade.timer", "unattended-upgrades.service"),
            at_boot=["systemd-timesyncd.service", "slipway-restore.service"],
            # Debian's own unit flushes the whole ruleset when it stops.
            never=["nftables.service"],
        ),
        take_up("firewall reload", [placed[FIREWALL]], "systemctl reload slipway-firewall.service"),
        take_up("time sync restart", [placed[TIME]], "systemctl restart systemd-timesyncd"),
    ]


def host_json(plan: FleetPlan, host: Host) -> str:
    """Who the host is, for its agent: role, app, and the read-only account of the builds bucket."""
    builds, cloud = plan.outputs.builds, plan.outputs.cloud
    reader = builds.reader_secret_key_secret
    own = {"region": cloud.region, "boot_secret": cloud.boot_secrets[host.role]} if cloud else None
    return json.dumps(
        {
            "app": plan.app.name,
            "host": host.name,
            "role": host.role,
            "stack": plan.stack.name,
            "fleet": plan.fleet,
            "site": plan.site_host,
            "builds": {
                "endpoint": builds.endpoint or f"https://s3.{builds.region}.amazonaws.com",
                "bucket": builds.bucket,
                "region": builds.region,
                "access_key": builds.reader_access_key or (BUILDS_READER if reader else ""),
                "secret_key": plan.secret(reader) if reader else "",
            },
            **({"cloud": own} if own else {}),
        },
        indent=1,
    )


def _agent_files() -> list[HostFile]:
    sources = sorted(AGENT.glob("*.py"))
    return [
        *(HostFile(f"/usr/local/lib/slipway/agent/{path.name}", path.read_bytes()) for path in sources),
        HostFile("/usr/local/bin/slipway-agent", verbatim("base/agent.py"), "0755"),
    ]
