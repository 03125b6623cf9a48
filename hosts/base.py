"""Every host, whatever its role: ssh by key only, a firewall, time sync, security updates, and the agent."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

from pyinfra.operations import files, systemd

from hosts import access, firewall
from hosts.operations import install, on_change
from hosts.plan import BUILDS_READER, FleetPlan
from hosts.render import template, verbatim
from hosts.units import at_boot, unit
from slipway.settings import Cloud, Host, Role
from slipway.settings.aws_names import AwsNames

PACKAGES = (
    *("ca-certificates", "iproute2", "nftables", "openssh-server", "procps", "python3", "sudo"),
    *("systemd-timesyncd", "unattended-upgrades", "zstd"),
)

FOLDERS = {
    "/etc/slipway": "755",
    "/etc/slipway/env": "700",
    "/srv/slipway": "755",
    "/srv/slipway/layers": "755",
    "/srv/slipway/builds": "755",
    "/srv/slipway/slots": "755",
    "/var/lib/slipway": "700",
}
AGENT = Path(__file__).parent / "agent"
LIB = "/usr/local/lib/slipway"
CA = "/etc/slipway/ca.pem"
SIGNERS = "/etc/slipway/signers"
HOST_JSON = "/etc/slipway/host.json"
SSHD = "/etc/ssh/sshd_config.d/10-slipway.conf"
JOURNALD = "/etc/systemd/journald.conf.d/zz-slipway.conf"
"""After the `syslog.conf` of Debian 13's systemd, which sets ForwardToSyslog."""
_JOURNALD_BEFORE = "/etc/systemd/journald.conf.d/slipway.conf"
TIMESYNCD = "/etc/systemd/timesyncd.conf.d/slipway.conf"
SYSCTL = "/etc/sysctl.d/60-slipway.conf"


def deploy(plan: FleetPlan, host: Host) -> None:
    """Nothing here interrupts what the host serves."""
    for path, mode in FOLDERS.items():
        files.directory(name=path, path=path, mode=mode)
    files.put(name=CA, src=str(plan.ca_file), dest=CA, mode="644")
    install(name=HOST_JSON, src=host_json(plan, host), dest=HOST_JSON, mode="600")
    install(name=SIGNERS, src=plan.signers, dest=SIGNERS)
    _agent()
    if not plan.hosts_come_and_go:
        access.deploy(plan, host)
    _sshd()
    _journald()
    _kernel()
    firewall.deploy(plan, host)
    _time_and_updates()
    at_boot("slipway-restore.service")


def restore_live_release() -> None:
    """A host that was rebuilt around the data of an old one serves the release it served before.

    Once in the life of a system disk, after all else; on a new host the unit's own condition skips it.
    """
    on_change(name="live release", files=[], command="systemctl restart slipway-restore.service")


def host_json(plan: FleetPlan, host: Host) -> str:
    """Who the host is, for its agent: roles, app, and the read-only account of the builds bucket."""
    builds, cloud, instance = plan.outputs.builds, plan.outputs.cloud, plan.instance
    reader = builds.reader_secret_key_secret
    endpoint = builds.endpoint or f"https://s3.{builds.region}.amazonaws.com"
    return json.dumps(
        {
            "app": plan.app.name,
            "host": host.name,
            "role": host.role,
            "stack": plan.stack.name,
            "fleet": plan.fleet,
            "site": plan.site_host,
            "builds": {
                "endpoint": instance.endpoints.get("s3", endpoint) if instance else endpoint,
                "bucket": builds.bucket,
                "region": builds.region,
                "access_key": builds.reader_access_key or (BUILDS_READER if reader else ""),
                "secret_key": plan.secret(reader) if reader else "",
            },
            **({"cloud": _in_the_cloud(plan, cloud, host.only_role)} if cloud else {}),
            **({"instance": instance.id, "address": host.address} if instance else {}),
        },
        indent=1,
    )


def _in_the_cloud(plan: FleetPlan, cloud: Cloud, role: Role) -> dict[str, str]:
    """Where a host on AWS finds what is live, where its logs go, and as whom its app may act."""
    return {
        "region": cloud.region,
        "boot_secret": cloud.boot_secrets[role],
        "log_group": AwsNames(plan.stack, cloud.account, cloud.region).log_group(role),
        "app_role": cloud.app_role,
    }


def _agent() -> None:
    """As one archive, so that the agent never runs with modules of two versions."""
    archive = f"{LIB}/agent.tar"
    files.put(name="agent", src=io.BytesIO(agent_archive()), dest=archive, mode="644")
    on_change(
        name="unpack the agent",
        files=[archive],
        command=f"cd {LIB} && rm -rf agent.new agent.old && mkdir agent.new && tar -xf agent.tar -C agent.new"
        " && { [ ! -e agent ] || mv agent agent.old; } && mv agent.new agent && rm -rf agent.old",
    )
    files.put(
        name="slipway-agent",
        src=template("base/agent.py"),
        dest="/usr/local/bin/slipway-agent",
        mode="755",
    )
    unit("slipway-restore.service")


def agent_archive() -> bytes:
    """The agent's sources as a tar archive; the same bytes for the same sources."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in sorted(AGENT.glob("*.py")):
            entry = tarfile.TarInfo(path.name)
            entry.size, entry.mode = path.stat().st_size, 0o644
            archive.addfile(entry, io.BytesIO(path.read_bytes()))
    return packed.getvalue()


def _sshd() -> None:
    install(name=SSHD, src=verbatim("base/sshd.conf"), dest=SSHD)
    on_change(name="sshd reload", files=[SSHD], command="sshd -t && systemctl reload-or-restart ssh")


def _journald() -> None:
    files.put(name=JOURNALD, src=template("base/journald.conf"), dest=JOURNALD, mode="644")
    files.file(name="journald settings of older versions", path=_JOURNALD_BEFORE, present=False)
    on_change(
        name="journald restart",
        files=[JOURNALD],
        command="install -d -m 2755 -g systemd-journal /var/log/journal && systemctl restart systemd-journald"
        " && journalctl --flush",
    )


def _kernel() -> None:
    """A container shares its machine's kernel settings; an older or newer kernel may not know a key."""
    files.put(name=SYSCTL, src=template("base/sysctl.conf"), dest=SYSCTL, mode="644")
    on_change(
        name="sysctl",
        files=[SYSCTL],
        command=f"systemd-detect-virt --container --quiet || sysctl --ignore --quiet --load {SYSCTL}",
    )


def _time_and_updates() -> None:
    upgrades = "/etc/apt/apt.conf.d/52slipway-upgrades"
    files.put(name=upgrades, src=template("base/upgrades.conf"), dest=upgrades, mode="644")
    for service in ("apt-daily.timer", "apt-daily-upgrade.timer", "unattended-upgrades.service"):
        systemd.service(name=service, service=service, running=True, enabled=True)
    files.put(name=TIMESYNCD, src=template("base/timesyncd.conf"), dest=TIMESYNCD, mode="644")
    # Not started: in a container its own condition keeps it off.
    at_boot("systemd-timesyncd.service")
    on_change(name="time sync restart", files=[TIMESYNCD], command="systemctl restart systemd-timesyncd")
