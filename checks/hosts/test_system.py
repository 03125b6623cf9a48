"""What every host is: patched, on time, with room to breathe (I3, I11)."""

from __future__ import annotations

from checks.kit.check import check, not_evaluated
from checks.kit.hosts import Hosts, LiveHost

FREE_PERCENT = 10
SKEW_SECONDS = 2.0


@check(
    "I3",
    severity="high",
    why="what does not come back by itself after a reboot is an outage at night",
    remedy="systemctl enable UNIT",
)
def test_what_runs_comes_back_after_a_reboot(host: LiveHost) -> None:
    wanted = {
        "edge": ["haproxy.service"],
        "web": ["haproxy.service", "slipway-restore.service"],
        "worker": ["slipway-restore.service"],
        "data": [],
    }[host.role]
    wanted = [*wanted, "slipway-firewall.service"]
    for unit in wanted:
        assert enabled(host, unit), f"{unit} is not enabled"


@check(
    "I11",
    severity="medium",
    why="a failed unit is a message that nobody read",
    remedy="systemctl status UNIT, then systemctl reset-failed",
)
def test_no_unit_has_failed(host: LiveHost) -> None:
    failed = host.run("systemctl list-units --failed --plain --no-legend | cut -d' ' -f1").split()
    assert not failed, f"failed: {', '.join(failed)}"


@check(
    "I11",
    severity="medium",
    standard="Lynis TIME-3104",
    why="tokens, signatures and logs of hosts with different clocks do not fit together",
    remedy="systemctl status systemd-timesyncd; may the host ask a time server?",
)
def test_clocks_agree(hosts: Hosts) -> None:
    times = hosts.each(lambda host: float(host.run("date +%s.%N")))
    skew = max(times.values()) - min(times.values()) if times else 0.0
    assert skew < SKEW_SECONDS, f"the clocks are up to {skew:.1f} s apart"


@check(
    "I11",
    severity="medium",
    standard="Lynis TIME-3104",
    why="a clock that nobody sets drifts until TLS and tokens fail",
    remedy="systemctl enable --now systemd-timesyncd",
)
def test_time_is_synchronised(host: LiveHost) -> None:
    if host.run("systemd-detect-virt --container || true").strip() not in ("none", ""):
        not_evaluated("a container has its host's clock")
    assert host.run("timedatectl show --value -p NTPSynchronized").strip() == "yes", (
        "the clock is not synchronised"
    )


@check(
    "I11",
    severity="high",
    standard="Lynis PKGS-7392",
    why="known holes are used within days",
    remedy="unattended-upgrades installs them every night: apt-get upgrade tells what keeps it",
)
def test_security_updates_install_themselves(host: LiveHost) -> None:
    on = host.run("apt-config dump APT::Periodic::Unattended-Upgrade").strip()
    assert '"1"' in on, "unattended upgrades are off"
    assert enabled(host, "apt-daily-upgrade.timer"), "apt-daily-upgrade.timer is not enabled"


@check(
    "I11",
    severity="high",
    standard="Lynis PKGS-7392",
    why="an update that is known and not installed is an open door with a sign on it",
    remedy="apt-get update && unattended-upgrade",
)
def test_no_security_update_is_pending(host: LiveHost) -> None:
    lists = host.run("ls /var/lib/apt/lists/*_Packages* 2>/dev/null | head -1; true").strip()
    if not lists:
        not_evaluated("the host has no package lists yet: apt-daily fetches them within a day")
    pending = host.run(
        "apt-get -s -o Debug::NoLocking=true upgrade | grep -i '^Inst.*security' | cut -d' ' -f2; true"
    )
    assert not pending.split(), f"pending: {', '.join(pending.split()[:5])}"


@check(
    "I11",
    severity="high",
    why="a full disk stops the database, the logs and the next release",
    remedy="slipway prunes old builds; journald and backups have limits of their own",
)
def test_disks_have_room(host: LiveHost) -> None:
    folders = "/ /srv/slipway /var/lib"
    told = host.run(
        f"df --output=pcent,ipcent,target {folders} 2>/dev/null || df --output=pcent,ipcent,target /"
    )
    lines = sorted(set(told.splitlines()[1:]))
    for line in lines:
        used, inodes, target = line.split()[:3]
        for what, percent in (("space", used), ("inodes", inodes)):
            if percent != "-":
                left = 100 - int(percent.rstrip("%"))
                assert left >= FREE_PERCENT, f"{target} has {left} % of its {what} left"


@check(
    "I11",
    severity="medium",
    why="when memory runs out, the kernel chooses who dies",
    remedy="a larger machine, or fewer instances (processes.NAME.instances)",
)
def test_memory_has_room(host: LiveHost) -> None:
    info = dict(line.split(":", 1) for line in host.run("cat /proc/meminfo").splitlines())
    free = int(info["MemAvailable"].split()[0]) / int(info["MemTotal"].split()[0]) * 100
    assert free >= FREE_PERCENT, f"{free:.0f} % of memory is available"


@check(
    "I11",
    severity="medium",
    why="logs that a reboot takes away are missing when they are needed",
    remedy="Storage=persistent in journald.conf (slipway up)",
)
def test_logs_outlive_a_reboot_and_have_a_limit(host: LiveHost) -> None:
    assert host.run("test -d /var/log/journal && echo yes || true").strip(), "there is no /var/log/journal"
    settings = host.run("systemd-analyze cat-config systemd/journald.conf")
    assert "SystemMaxUse=" in settings.replace("#SystemMaxUse", ""), "journald has no SystemMaxUse"


def enabled(host: LiveHost, unit: str) -> bool:
    """Does `unit` start at boot?"""
    return host.run(f"systemctl is-enabled {unit} || true").strip() in ("enabled", "static", "alias")
