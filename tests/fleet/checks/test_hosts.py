"""Host checks fail on a host that is set up differently."""

from __future__ import annotations

import pytest

from tests.fleet.checks.breaking import Break, done, file, on, together, with_secret
from tests.fleet.checks.harness import Case, prove, run_checks
from tests.fleet.site import FORGET_JOURNAL, Site

CHAIN = "inet slipway input"
DROP_IN = "/run/systemd/system/slipway-worker@.service.d"


def background(host: str, name: str, command: str, *options: str) -> Break:
    """A process that somebody left running."""
    start = f"systemd-run -q --unit {name} --description={name} {' '.join(options)} {command}; sleep 0.3"
    return done(host, start, f"systemctl stop '{name}'; systemctl reset-failed '{name}' 2>/dev/null; true")


def opened(host: str, port: int) -> Break:
    """A hole in the host's firewall."""
    reload = "systemctl restart slipway-firewall"
    return done(host, f"nft insert rule {CHAIN} tcp dport {port} accept", reload)


def drop_in(*lines: str) -> Break:
    text = "\\n".join(("[Service]", *lines))
    place = f"mkdir -p {DROP_IN}; printf '{text}\\n' > {DROP_IN}/zz.conf; systemctl daemon-reload"
    return done("worker1", place, f"rm -r {DROP_IN}; systemctl daemon-reload")


def shadow(host: str, program: str, script: str) -> Break:
    """Another program by the same name comes first."""
    path = f"/usr/local/bin/{program}"
    return done(host, f"printf '#!/bin/sh\\n{script}\\n' > {path}; chmod 755 {path}", f"rm {path}")


ROGUE = "slipway-rogue@blue-1"

ENTRY = (
    Case(
        "passwords by ssh",
        done(
            "web1",
            "echo 'PasswordAuthentication yes' > /etc/ssh/sshd_config.d/00-loose.conf",
            "rm /etc/ssh/sshd_config.d/00-loose.conf",
        ),
        red=("I7/ssh-takes-keys-only", "I7/sshd-is-set-as-it-was-set-up"),
        run=("I7/ssh", "I7/no-account", "I7/only-root", "I7/nothing", "I7/the-firewall"),
    ),
    Case(
        "an account without a password",
        file("web1", "/etc/shadow", r"\Z", "ghost::19000:0:99999:7:::\n"),
        red=("I7/no-account-has-an-empty-password",),
    ),
    Case(
        "a second root",
        file("edge", "/etc/passwd", r"\Z", "toor:x:0:0::/root:/bin/sh\n"),
        red=("I7/only-root-is-root",),
    ),
    Case(
        "a firewall that accepts everything",
        done(
            "worker1",
            f"nft 'add chain {CHAIN} {{ policy accept ; }}'",
            f"nft 'add chain {CHAIN} {{ policy drop ; }}'",
        ),
        red=("I7/the-firewall-drops-by-default",),
    ),
    Case(
        "an unexpected port listens",
        background("web2", "loose-listener", "python3 -m http.server 9999"),
        red=("I7/nothing-unexpected-listens",),
        says="9999",
    ),
    Case(
        "a web host reaches another service",
        together(background("data1", "loose-listener", "python3 -m http.server 9090"), opened("data1", 9090)),
        red=("I7/a-web-host-cannot-reach-other-services", "I7/nothing-unexpected-listens"),
        says="9090",
    ),
    Case(
        "Redis is reachable from outside",
        opened("data1", 6379),
        red=("I4/the-public-cannot-reach-the-data",),
        says="6379",
    ),
)

REACH = (
    Case(
        "a firewall that lets packets through to a closed port",
        opened("worker1", 9100),
        red=("I7/hosts-reach-only-what-they-need", "I7/a-web-host-cannot-reach-other-services"),
        says="worker1 by tcp 9100 (refused: the firewall let it through)",
    ),
    Case(
        "a port that is open by UDP",
        done("data1", f"nft insert rule {CHAIN} udp dport 161 accept", "systemctl restart slipway-firewall"),
        red=("I7/hosts-reach-only-what-they-need", "I7/a-web-host-cannot-reach-other-services"),
        says="data1 by udp 161",
    ),
    Case(
        "a database that the edge can reach",
        lambda site: done(
            "data1",
            f"nft insert rule {CHAIN} ip saddr {site.outputs.host('edge').address} tcp dport 5432 accept",
            "systemctl restart slipway-firewall",
        )(site),
        red=("I7/hosts-reach-only-what-they-need",),
        says="from edge: data1 by tcp 5432",
    ),
)

PROCESSES = (
    Case(
        "a process started by hand, as root",
        background("worker1", ROGUE, "sleep 300"),
        red=(
            "P9/app-units-are-hardened",
            "P9/app-processes-are-not-root",
            "I3/app-processes-are-restarted",
        ),
    ),
    Case(
        "a unit that lost its hardening",
        drop_in(
            "ProtectSystem=no",
            "PrivateDevices=no",
            "CapabilityBoundingSet=~",
            "SystemCallFilter=",
            "NoNewPrivileges=no",
        ),
        red=("P9/app-units-are-hardened",),
        run=("P9/app",),
        says="NoNewPrivileges",
    ),
    Case(
        "a unit that is not restarted",
        drop_in("Restart=no"),
        red=("I3/app-processes-are-restarted", "P9/app-units-are-hardened"),
    ),
    Case(
        "no time to drain",
        drop_in("TimeoutStopSec=1"),
        red=("S5/processes-get-time-to-drain", "P9/app-units-are-hardened"),
        says="1 s",
    ),
    Case(
        "a process that keeps dying",
        done(
            "worker1",
            "u=$(systemctl list-units --plain --no-legend 'slipway-worker@*' | cut -d' ' -f1); for i in 1 2 3; do "  # noqa: E501 - a shell's line
            "systemctl kill -s KILL $u; sleep 1.6; done",
            "u=$(systemctl list-units --plain --no-legend 'slipway-worker@*' | cut -d' ' -f1); systemctl restart $u",  # noqa: E501 - a shell's line
        ),
        red=("I3/app-processes-do-not-keep-dying",),
    ),
    Case(
        "code that the app may change",
        done(
            "web1",
            "touch /srv/slipway/layers/loose; chmod 666 /srv/slipway/layers/loose",
            "rm /srv/slipway/layers/loose",
        ),
        red=("P9/the-app-cannot-write-its-own-code",),
    ),
)

SECRETS = (
    Case(
        "an env file that others can read",
        done("web1", "chmod 644 /etc/slipway/env/*/web.env", "chmod 600 /etc/slipway/env/*/web.env"),
        red=("I9/only-root-can-read-env-files",),
    ),
    Case(
        "a private key that others can read",
        done(
            "data1",
            "chmod 644 /etc/slipway/pgbouncer/server.key",
            "chmod 640 /etc/slipway/pgbouncer/server.key",
        ),
        red=("I9/only-their-service-can-read-private-keys",),
    ),
    Case(
        "a secret in a command line",
        with_secret(
            lambda value: background(
                "web1", "loose-words", f"python3 -c 'import time; time.sleep(300)' --token={value}"
            )
        ),
        red=("I9/no-command-line-holds-a-secret",),
    ),
    Case(
        "a secret in a log",
        with_secret(
            lambda value: done(
                "data1",
                f"{FORGET_JOURNAL}; echo token={value} | systemd-cat -t loose; journalctl --sync",
                FORGET_JOURNAL,
            )
        ),
        red=("P8/no-log-holds-a-secret",),
    ),
    Case(
        "a worker with the web's secret",
        done(
            "worker1",
            "for f in /etc/slipway/env/*/worker.env; do cp -p $f /root/$(basename $(dirname $f)).env; echo JWT_SECRET=x >> $f; done",  # noqa: E501 - a shell's line
            "for f in /etc/slipway/env/*/worker.env; do mv /root/$(basename $(dirname $f)).env $f; done",
        ),
        red=("I9/a-worker-has-no-secret-of-the-web",),
        says="JWT_SECRET",
    ),
)

SYSTEM = (
    Case(
        "a unit that is not enabled",
        done("web1", "systemctl disable -q slipway-restore", "systemctl enable -q slipway-restore"),
        red=("I3/services-start-at-boot",),
        says="slipway-restore",
    ),
    Case(
        "a failed unit",
        done("edge", "systemd-run -q --unit loose-end false; sleep 0.3", "systemctl reset-failed loose-end"),
        red=("I11/no-unit-has-failed",),
        says="loose-end",
    ),
    Case(
        "a clock with another time",
        shadow("web2", "date", "exec /bin/date -d +90seconds +%%s.%%N"),
        red=("I11/clocks-agree",),
    ),
    Case(
        "a clock that is not synchronised",
        together(
            shadow("edge", "systemd-detect-virt", "echo none"), shadow("edge", "timedatectl", "echo no")
        ),
        red=("I11/time-is-synchronised",),
    ),
    Case(
        "no updates",
        done(
            "web1",
            "echo 'APT::Periodic::Unattended-Upgrade \"0\";' > /etc/apt/apt.conf.d/99loose",
            "rm /etc/apt/apt.conf.d/99loose",
        ),
        red=("I11/security-updates-install-themselves",),
    ),
    Case(
        "an update that is pending",
        together(
            shadow("worker1", "apt-get", "echo Inst openssl [3.0] Debian-Security:12/stable-security"),
            done(
                "worker1", "touch /var/lib/apt/lists/loose_Packages", "rm /var/lib/apt/lists/loose_Packages"
            ),
        ),
        red=("I11/no-security-update-is-pending",),
        says="openssl",
    ),
    Case(
        "a full disk",
        done(
            "data1",
            "mkdir -p /srv/slipway && mount -t tmpfs -o size=1m tmpfs /srv/slipway && head -c 1000k /dev/zero > /srv/slipway/full",  # noqa: E501 - a shell's line
            "umount /srv/slipway",
        ),
        red=("I11/disks-have-room",),
        says="/srv/slipway",
    ),
    Case(
        "no memory left",
        done(
            "web2",
            "sed 's/^MemAvailable:.*/MemAvailable: 1 kB/' /proc/meminfo > /root/meminfo; mount --bind /root/meminfo /proc/meminfo",  # noqa: E501 - a shell's line
            "umount /proc/meminfo",
        ),
        red=("I11/memory-has-room",),
    ),
    Case(
        "logs without a limit",
        done(
            "edge",
            "mv /etc/systemd/journald.conf.d/zz-slipway.conf /root/",
            "mv /root/zz-slipway.conf /etc/systemd/journald.conf.d/",
        ),
        red=("I11/logs-survive-a-reboot-and-have-a-limit",),
    ),
)


@pytest.mark.parametrize("case", [*ENTRY, *REACH, *PROCESSES, *SECRETS, *SYSTEM], ids=str)
def test_the_check_fails(whole: Site, case: Case) -> None:
    prove(whole, case)


IDLE = """set -e
live=$(python3 -c 'import json; print(json.load(open("/var/lib/slipway/state.json"))["active"])')
slot=blue; [ $live = green ] || slot=green
unit=/etc/systemd/system/slipway-web@$slot-1.service
"""
RUN_AS_WRITTEN = "systemctl daemon-reload; systemctl try-restart slipway-web@$slot-1"


def test_units_of_the_slipway_before_an_upgrade_are_red_only_if_they_were_changed(whole: Site) -> None:
    weaker = done(
        "web1",
        f"{IDLE}cp -p $unit /root/unit; sed -i 's/^LimitNOFILE=.*/LimitNOFILE=1024/; /^ProtectClock/d' $unit; {RUN_AS_WRITTEN}",  # noqa: E501 - a shell's line
        f"{IDLE}cp -p /root/unit $unit; {RUN_AS_WRITTEN}",
    )
    with weaker(whole):
        changed = run_checks(whole.root, "P9/app-units-are-hardened")
        assert changed.ids("fail") == {"P9/app-units-are-hardened"}, changed.said
        # An upgrade brings another agent, which writes units of its own from the next release on.
        on(whole, "web1", "touch /usr/local/lib/slipway/agent.tar")
        found = run_checks(whole.root, "P9/app-units-are-hardened")
    assert found.code == 0, found.said
