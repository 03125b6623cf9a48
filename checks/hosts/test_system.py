"""The system of every host: updates, clock, disk, memory, units (I3, I11)."""

from __future__ import annotations

from checks.kit.check import check, not_evaluated
from checks.kit.hosts import Host, Hosts, cron_services, require_enabled
from slipway.stack import LiveStack, Role

FREE_PERCENT = 10
"""Least memory that is available."""
SKEW_SECONDS = 2.0
STARTED_AT_BOOT: dict[Role, tuple[str, ...]] = {
    "edge": ("haproxy.service",),
    "web": ("haproxy.service", "slipway-restore.service"),
    "worker": ("slipway-restore.service",),
    "data": (),
}
"""Units that must be enabled, by role, besides the firewall."""


@check(
    "I3",
    severity="high",
    why="a service that is not enabled stays down after a reboot",
    remedy="systemctl enable UNIT",
)
def test_services_start_at_boot(host: Host, roles: tuple[Role, ...]) -> None:
    of_roles = (unit for role in roles for unit in STARTED_AT_BOOT[role])
    for unit in dict.fromkeys(("slipway-firewall.service", *of_roles)):
        require_enabled(host, unit)


@check(
    "I11",
    severity="medium",
    why="a failed unit is a problem that has not been looked at",
    remedy="systemctl status UNIT, then systemctl reset-failed",
)
def test_no_unit_has_failed(live: LiveStack, host: Host) -> None:
    # testinfra has no module that lists units.
    failed = host.check_output("systemctl list-units --failed --plain --no-legend | cut -d' ' -f1").split()
    # S6/no-cron-entry-failed says it of the app's cron entries.
    cron = cron_services(live)
    others = [unit for unit in failed if unit not in cron]
    assert not others, f"failed: {', '.join(others)}"


@check(
    "I11",
    severity="medium",
    standard="Lynis TIME-3104",
    why="tokens and signatures expire wrongly, and logs do not line up, if clocks differ",
    remedy="systemctl status systemd-timesyncd; can the host reach a time server?",
)
def test_clocks_agree(hosts: Hosts) -> None:
    # testinfra has no module for the time of day.
    times = hosts.each(lambda host: float(host.check_output("date +%s.%N")))
    skew = max(times.values()) - min(times.values()) if times else 0.0
    assert skew < SKEW_SECONDS, f"the clocks are up to {skew:.1f} s apart"


@check(
    "I11",
    severity="medium",
    standard="Lynis TIME-3104",
    why="a clock that is not synchronised drifts until TLS and tokens fail",
    remedy="systemctl enable --now systemd-timesyncd",
)
def test_time_is_synchronised(host: Host) -> None:
    # testinfra has no module for either command.
    if host.run("systemd-detect-virt --container").stdout.strip() not in ("none", ""):
        not_evaluated("a container has its host's clock")
    synchronised = host.check_output("timedatectl show --value -p NTPSynchronized")
    assert synchronised == "yes", "the clock is not synchronised"


@check(
    "I11",
    severity="high",
    standard="Lynis PKGS-7392",
    why="published vulnerabilities are exploited within days",
    remedy="unattended-upgrades installs them every night: run apt-get upgrade to see what prevents it",
)
def test_security_updates_install_themselves(host: Host) -> None:
    # apt-config merges apt's files: no single file shows the result.
    periodic = host.check_output("apt-config dump APT::Periodic::Unattended-Upgrade")
    assert '"1"' in periodic, "unattended upgrades are off"
    require_enabled(host, "apt-daily-upgrade.timer")


@check(
    "I11",
    severity="high",
    standard="Lynis PKGS-7392",
    why="a published security update that is not installed is a known vulnerability",
    remedy="apt-get update && unattended-upgrade",
)
def test_no_security_update_is_pending(host: Host) -> None:
    if not any("_Packages" in name for name in host.file("/var/lib/apt/lists").listdir()):
        not_evaluated("the host has no package lists yet: apt-daily fetches them within a day")
    # testinfra's package() says which version is installed, not which could be.
    upgrade = host.check_output("apt-get -s -o Debug::NoLocking=true upgrade").splitlines()
    pending = [line.split()[1] for line in upgrade if line.startswith("Inst") and "security" in line.lower()]
    assert not pending, f"pending: {', '.join(pending[:5])}"


@check(
    "I11",
    severity="medium",
    why="when memory runs out, the kernel kills a process of its choice",
    remedy="use a larger server, or fewer instances (processes.NAME.instances)",
)
def test_memory_has_room(host: Host) -> None:
    info = dict(line.split(":", 1) for line in host.file("/proc/meminfo").content_string.splitlines())
    free = int(info["MemAvailable"].split()[0]) / int(info["MemTotal"].split()[0]) * 100
    assert free >= FREE_PERCENT, f"{free:.0f} % of memory is available"
