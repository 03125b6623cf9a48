"""A host that was changed by hand: `slipway drift` names what differs, and `slipway up` repairs it."""

from __future__ import annotations

import json

from tests.fleet.checks.breaking import on
from tests.fleet.command import slipway
from tests.fleet.site import Site

CHANGES = (
    ("edge", "sed -i 's/^    maxconn .*/    maxconn 55/' /etc/haproxy/haproxy.cfg; systemctl reload haproxy"),
    ("web1", "chmod 644 /etc/slipway/host.json; systemctl disable -q slipway-restore"),
    ("web2", "nft delete table inet slipway; rm /etc/sysctl.d/60-slipway.conf"),
    (
        "worker1",
        "echo 'raise SystemExit' >> /usr/local/lib/slipway/agent/smoke.py;"
        " install -D /dev/null /etc/cron.d/stranger",
    ),
    ("data1", "systemctl stop -q slipway-backup.timer; rm -r /etc/slipway/backup.json"),
)
NAMED = {
    ("edge", "/etc/haproxy/haproxy.cfg"),
    ("edge", "HAProxy's maxconn"),
    ("web1", "/etc/slipway/host.json"),
    ("web1", "slipway-restore.service"),
    ("web2", "inet slipway"),
    ("web2", "/etc/sysctl.d/60-slipway.conf"),
    ("worker1", "/usr/local/lib/slipway/agent/smoke.py"),
    ("worker1", "/etc/cron.d/stranger"),
    ("data1", "slipway-backup.timer"),
    ("data1", "/etc/slipway/backup.json"),
}


def test_drift_is_named_and_repaired(site: Site) -> None:
    assert _differing(site) == set()
    try:
        for host, change in CHANGES:
            on(site, host, change)
        assert _differing(site) == NAMED
        repaired = slipway(site.root, "up", "--stack", "local")
        assert repaired.code == 0, repaired.err
        assert "/etc/cron.d/stranger" in repaired.err
        # What does not belong is a person's to remove.
        assert _differing(site) == {("worker1", "/etc/cron.d/stranger")}
        info = on(site, "edge", "echo show info | socat - unix-connect:/run/haproxy/admin.sock")
        assert "\nMaxconn: 55\n" not in info
    finally:
        on(site, "worker1", "rm -f /etc/cron.d/stranger")
    assert _differing(site) == set()
    site.wait_until_healthy()


def _differing(site: Site) -> set[tuple[str, str]]:
    """Host and name of everything that `slipway drift` lists."""
    ran = slipway(site.root, "drift", "--stack", "local", "--json")
    found = {(each["name"], each["path"]) for each in json.loads(ran.out)["differences"]}
    assert ran.code == (4 if found else 0), ran.out
    return found
