"""Hosts against what their set-up made: anything else is a failure by name (I3, I7, I9, I11, P9)."""

from __future__ import annotations

from collections.abc import Mapping

from checks.kit.background import Background, begun_early
from checks.kit.check import check, not_evaluated
from checks.kit.hosts import Host, name_of
from checks.kit.roots import SITE, Roots, stand_on
from slipway.stack import Deviation, LiveStack

HAPROXY = "haproxy.service"
REPAIR = "slipway drift lists it, and slipway up repairs what is missing or changed"
REMOVE = "remove it, and find out who placed it; slipway drift lists all that does not belong"


@begun_early
def looked_at(live: LiveStack) -> tuple[Mapping[str, list[Deviation]], Mapping[str, Exception]] | None:
    """By host, everything that differs from its inventory: one command a host reads it all."""
    return live.deviations()


def _of(background: Background, host: Host, *topics: str) -> list[Deviation]:
    found = background.result(looked_at)
    if found is None:
        not_evaluated("this platform does not know what belongs on its hosts")
    deviations, failed = found
    if error := failed.get(name_of(host)):
        raise error
    return [each for each in deviations[name_of(host)] if each.topic in topics]


def _said(found: list[Deviation]) -> str:
    return "; ".join(f"{each.what}: {each.found or each.was}" for each in found)


@check(
    "I7",
    "I9",
    severity="critical",
    standard="Lynis AUTH-9228",
    why="an unknown account lets its owner come back at any time",
    remedy=f"{REMOVE}: userdel NAME, passwd --lock NAME, gpasswd --delete NAME GROUP",
    waits_for=(looked_at,),
)
def test_only_known_accounts_may_sign_in(background: Background, host: Host) -> None:
    found = _of(background, host, "account")
    assert not found, _said(found)


@check(
    "I7",
    severity="critical",
    standard="CIS Debian 5.2",
    why="a key in authorized_keys opens the host without leaving a trace in any password file",
    remedy=f"{REMOVE}: slipway access revoke SHA256:… (docs/access.md)",
    waits_for=(looked_at,),
)
def test_only_known_keys_open_ssh(background: Background, host: Host) -> None:
    found = _of(background, host, "key")
    assert not found, _said(found)


@check(
    "I7",
    severity="critical",
    standard="CIS Debian 5.2",
    why="one setting of sshd can let in certificates, commands or key files that are on no list",
    remedy="remove what overrides slipway's settings in /etc/ssh, then systemctl reload ssh",
    waits_for=(looked_at,),
)
def test_sshd_is_set_as_it_was_set_up(background: Background, host: Host) -> None:
    found = _of(background, host, "ssh")
    assert not found, _said(found)


@check(
    "I7",
    severity="critical",
    standard="CIS Debian 5.3",
    why="a rule of sudo makes an account root",
    remedy=f"{REMOVE}: visudo -f FILE",
    waits_for=(looked_at,),
)
def test_sudo_has_only_known_rules(background: Background, host: Host) -> None:
    found = _of(background, host, "sudo")
    assert not found, _said(found)


@check(
    "I7",
    severity="critical",
    standard="CIS Debian 2.4",
    why="units, timers, cron, preloaded libraries, profiles and PAM start again after a reboot",
    remedy=f"{REMOVE}: systemctl disable --now UNIT, delete the file, systemctl daemon-reload",
    waits_for=(looked_at,),
)
def test_nothing_starts_that_does_not_belong(background: Background, host: Host) -> None:
    found = _of(background, host, "startup")
    assert not found, _said(found)


@check(
    "I7",
    severity="critical",
    standard="CIS Debian 7.1",
    why="a SUID copy of a shell, or a capability, makes every account root",
    remedy=f"{REMOVE}: chmod u-s,g-s FILE; setcap -r FILE",
    waits_for=(looked_at,),
)
def test_only_known_programs_have_privileges(background: Background, host: Host) -> None:
    found = _of(background, host, "privilege")
    assert not found, _said(found)


@check(
    "I7",
    severity="critical",
    standard="Lynis PKGS-7370",
    why="a replaced program does what its new author wants, under the name that everyone trusts",
    remedy="apt-get install --reinstall PACKAGE for a program of Debian; remove what no package owns",
    waits_for=(looked_at,),
)
def test_programs_are_those_of_their_packages(background: Background, host: Host) -> None:
    found = _of(background, host, "program")
    assert not found, _said(found)


@check(
    "I7",
    severity="high",
    standard="Lynis NETW-3012",
    why="every port that listens can be attacked, by TCP and by UDP",
    remedy="stop what is not needed, or bind it to loopback",
    waits_for=(looked_at,),
)
def test_nothing_unexpected_listens(background: Background, host: Host) -> None:
    found = _of(background, host, "port")
    assert not found, _said(found)


@check(
    "I7",
    severity="critical",
    standard="CIS Debian 4.3",
    why="a rule that is loaded and in no file opens or redirects a port until the next reboot",
    remedy="slipway up loads the firewall's file again; a table that does not belong: nft delete table NAME",
    waits_for=(looked_at,),
)
def test_the_firewall_is_loaded_as_its_file(background: Background, host: Host) -> None:
    found = _of(background, host, "firewall")
    assert not found, _said(found)


@check(
    "I7",
    "X1",
    severity="critical",
    standard="CIS Debian 1.1",
    why="who answers for a name decides where passwords and packages go",
    remedy="put /etc/resolv.conf, /etc/hosts or /etc/nsswitch.conf back as the platform wrote it",
    waits_for=(looked_at,),
)
def test_names_are_looked_up_where_the_platform_says(background: Background, host: Host) -> None:
    found = _of(background, host, "name")
    assert not found, _said(found)


@check(
    "I7",
    severity="high",
    standard="CIS Debian 3.1",
    why="one route, rule or neighbour sends a service's packets to a stranger, or nowhere",
    remedy="ip route del, ip rule del, ip neigh del, tc qdisc del; a reboot forgets them all",
    waits_for=(looked_at,),
)
def test_packets_take_the_platforms_routes(background: Background, host: Host) -> None:
    found = _of(background, host, "route")
    assert not found, _said(found)


@check(
    "I7",
    "I9",
    severity="critical",
    standard="CIS Debian 7.1",
    why="a file with wider rights than it needs is read or replaced by any account",
    remedy="chmod and chown it as named; slipway up does so for what it placed",
    waits_for=(looked_at,),
)
def test_files_have_their_owner_and_mode(background: Background, host: Host) -> None:
    found = _of(background, host, "mode")
    assert not found, "; ".join(f"{each.what}: {each.found}, {each.was} expected" for each in found)


@check(
    "I7",
    "X1",
    severity="high",
    asvs="12.3.2",
    why="whoever holds the key of a trusted authority can pose as every service that the host calls",
    remedy="delete it from /usr/local/share/ca-certificates, then update-ca-certificates --fresh",
    waits_for=(looked_at,),
)
def test_only_known_authorities_are_trusted(background: Background, host: Host) -> None:
    found = _of(background, host, "authority")
    assert not found, _said(found)


@check(
    "I3",
    "S8",
    severity="high",
    why="a host that was changed by hand behaves unlike the others, for no reason that a file shows",
    remedy=REPAIR,
    waits_for=(looked_at,),
)
def test_the_set_up_is_unchanged(background: Background, host: Host, roots: Roots) -> None:
    found = _of(background, host, "file", "unit")
    site = roots.known(SITE)
    if site and name_of(host) in site.without_haproxy and [each.what for each in found] == [HAPROXY]:
        stand_on(site)
    assert not found, _said(found)


@check(
    "I7",
    "I3",
    severity="high",
    standard="CIS Debian 1.1",
    why="a mount hides what lies below it: a file, a program or the data that backups should hold",
    remedy="umount it, and remove its line from /etc/fstab",
    waits_for=(looked_at,),
)
def test_only_known_disks_are_mounted(background: Background, host: Host) -> None:
    found = _of(background, host, "mount")
    assert not found, _said(found)


@check(
    "P9",
    severity="high",
    standard="Lynis BOOT-5264",
    why="each restriction limits what a compromised process can do",
    remedy="slipway's own units have them: remove what overrides them in *.d, and run slipway release",
    roles=("web", "worker"),
    waits_for=(looked_at,),
)
def test_app_units_are_hardened(background: Background, host: Host, app_services: list[Host]) -> None:
    assert app_services, "no unit of the app is running"
    found = [each for each in _of(background, host, "hardening") if "slipway-" in each.what]
    assert not found, "; ".join(f"{each.what} is {each.found}, {each.was} expected" for each in found)


@check(
    "P9",
    "I3",
    severity="high",
    standard="Lynis BOOT-5264",
    why="HAProxy, PostgreSQL, Redis and S3 are reached by others first: restrictions and limits must hold",
    remedy=f"{REPAIR}; remove drop-ins that are not slipway's",
    waits_for=(looked_at,),
)
def test_services_are_hardened(background: Background, host: Host) -> None:
    found = [each for each in _of(background, host, "hardening") if "slipway-" not in each.what]
    assert not found, "; ".join(f"{each.what} is {each.found}, {each.was} expected" for each in found)


@check(
    "I11",
    severity="medium",
    standard="CIS Debian 3.3",
    why="kernel settings decide what a process or a packet may do before any program is involved",
    remedy="slipway up loads /etc/sysctl.d/60-slipway.conf: what overrides it?",
    waits_for=(looked_at,),
)
def test_the_kernel_is_set_as_it_was_set_up(background: Background, host: Host) -> None:
    found = _of(background, host, "kernel")
    assert not found, "; ".join(f"{each.what} is {each.found}, {each.was} expected" for each in found)


@check(
    "I11",
    severity="medium",
    why="logs lost at a reboot are missing when its cause is investigated; without a limit they fill a disk",
    remedy="slipway up writes journald's settings: what overrides them in journald.conf.d?",
    waits_for=(looked_at,),
)
def test_logs_survive_a_reboot_and_have_a_limit(background: Background, host: Host) -> None:
    found = _of(background, host, "journal")
    assert not found, "; ".join(f"{each.what} is {each.found}, {each.was} expected" for each in found)


@check(
    "I11",
    severity="medium",
    standard="Lynis PKGS-7392",
    why="a package that is held, pinned or from another source gets no security updates of Debian",
    remedy="apt-mark unhold PACKAGE; remove what does not belong from /etc/apt; slipway up",
    waits_for=(looked_at,),
)
def test_packages_are_free_to_be_updated(background: Background, host: Host) -> None:
    found = _of(background, host, "package")
    assert not found, _said(found)


@check(
    "I11",
    severity="high",
    why="a disk without space or inodes stops the database, the logs and the next release",
    remedy="slipway prunes old builds, and journald and backups have limits: du -x and df -i show what grows",
    waits_for=(looked_at,),
)
def test_disks_have_room(background: Background, host: Host) -> None:
    found = _of(background, host, "disk")
    assert not found, "; ".join(f"{each.what} {each.found}" for each in found)
