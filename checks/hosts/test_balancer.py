"""The load balancers as they run: which servers get requests, time-outs, the access log (I1, I2, I11)."""

from __future__ import annotations

import csv
import re
import secrets
import time

import httpx
import pytest

from checks.kit.check import check, not_evaluated
from checks.kit.haproxy import ask, logged
from checks.kit.hosts import Host, Hosts, live_slot, name_of
from checks.kit.roots import DATABASE
from checks.kit.site import Site
from slipway.stack import LiveStack

CONFIG = "/etc/haproxy/haproxy.cfg"
UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
"""HAProxy's units of time, in seconds; a number without one is in milliseconds."""


@check(
    "I1",
    severity="critical",
    why="a host that gets no requests is no second host: when the other one fails, the site is down",
    remedy="edge.cfg: each web host is a server of backend web, in use, with the same weight, and no backup",
    roles=("edge",),
    stands_on=(DATABASE,),
)
def test_every_web_host_takes_its_share(live: LiveStack, host: Host) -> None:
    servers = _servers(live, host, "web")
    missing = sorted({each.name for each in live.outputs.by_role("web")} - set(servers))
    assert not missing, f"no server of the load balancer: {', '.join(missing)}"
    _take_traffic(servers)


@check(
    "I1",
    severity="critical",
    why="requests go on to a host that is down until a person takes it out",
    remedy="edge.cfg: option httpchk, and check on each server",
    roles=("edge",),
)
def test_web_hosts_are_health_checked(live: LiveStack, host: Host) -> None:
    _are_checked(_servers(live, host, "web"))


@check(
    "I1",
    "I3",
    severity="high",
    why="with one instance of several in use, or an unchecked one, a host serves errors that it need not",
    remedy="slipway up writes the host's HAProxy: what changed it since?",
    roles=("web",),
    needs=("processes.web",),
    stands_on=(DATABASE,),
)
def test_every_instance_takes_its_share(live: LiveStack, host: Host) -> None:
    active = live_slot(host)
    if not active or live.app.web is None:
        not_evaluated("no release is live here")
    servers = _servers(live, host, f"slot_{active}")
    used = dict(list(servers.items())[: live.app.web.instances])
    assert len(used) == live.app.web.instances, f"{len(used)} of {live.app.web.instances} instances are used"
    _take_traffic(used)
    _are_checked(used)


@check(
    "I2",
    "X12",
    severity="high",
    why="a tunnel that ends before the app ends it looks like a broken connection to every quiet user",
    remedy="haproxy.cfg: timeout tunnel of at least websocket.idle_seconds",
    roles=("edge", "web"),
    needs=("websocket",),
)
def test_tunnels_may_be_silent_as_long_as_declared(live: LiveStack, host: Host) -> None:
    if live.app.websocket is None:
        not_evaluated("the app declares no [websocket] in slipway.toml")
    config = host.file(CONFIG).content_string
    tunnels = re.findall(r"^\s*timeout\s+tunnel\s+(\S+)", config, re.MULTILINE)
    # Without one, the time-outs of client and server count for tunnels too.
    given = tunnels or re.findall(r"^\s*timeout\s+(?:client|server)\s+(\S+)", config, re.MULTILINE)
    assert given, f"{CONFIG} limits no tunnel: it is not the kit's"
    shortest = min(map(_seconds, given))
    wanted = live.app.websocket.idle_seconds
    assert shortest >= wanted, f"a silent tunnel is cut after {shortest:g} s, {wanted} s are declared"


@check(
    "S8",
    "I2",
    severity="high",
    why="what is in the file comes into force with the next reload, perhaps in the night, or not at all",
    remedy="systemctl reload haproxy; if it refuses: haproxy -c -f /etc/haproxy/haproxy.cfg",
    roles=("edge", "web"),
)
def test_haproxy_runs_the_configuration_in_its_file(host: Host) -> None:
    up = re.search(r"^Uptime_sec: (\d+)", ask(host, "show info"), re.MULTILINE)
    assert up, "HAProxy's socket does not say since when it runs"
    age = float(host.check_output("echo $(( $(date +%%s) - $(stat -c %%Y %s) ))", CONFIG))
    # It reads the file a moment before it starts to count.
    assert age + 5 >= float(up[1]), (
        f"{CONFIG} was changed {age:.0f} s ago, and HAProxy has run for {float(up[1]):.0f} s"
    )
    host.check_output("haproxy -c -q -f %s", CONFIG)


@check(
    "I11",
    "X13",
    severity="high",
    asvs="16.2.1",
    why="without an access log an attack leaves no trace, and an outage no numbers",
    remedy="haproxy.cfg: log, log-format with the request id, and no `option dontlog-normal`",
    needs=("processes.web",),
    ahead=True,
)
def test_every_request_is_logged(site: Site, live: LiveStack, hosts: Hosts) -> None:
    """A page, an error of the app's, and a refusal of the edge's, each found by its request id."""
    private = next(iter(live.app.private_paths), "/-/")
    ids = {path: f"check-{secrets.token_hex(8)}" for path in (live.cheap_path, "/no-such-page", private)}
    for path, mark in ids.items():
        site.get(path, headers={"X-Request-Id": mark})
    outside = hosts.of("edge") or hosts.of("web")
    found = logged(outside, list(ids.values()))
    missing = [path for path, mark in ids.items() if mark not in found]
    assert not missing, f"the log of {', '.join(map(name_of, outside))} has no line of {', '.join(missing)}"
    passed = ids[live.cheap_path]
    # Edge and web host may be one: what it passed on to itself is in lines of another form.
    assert passed in logged(hosts.of("web"), [passed], "slipway "), (
        "no web host has logged what the edge passed on"
    )


FIRST_CHECK_SECONDS = 3
"""After a reload HAProxy reports INI until a server's first check."""
Servers = dict[str, dict[str, str]]
"""Rows of HAProxy's statistics by the server's name."""


def _servers(live: LiveStack, host: Host, backend: str) -> Servers:
    """The servers of `backend` on `host`, as HAProxy itself reports them once each was checked."""
    local = live.tunnel(name_of(host), "127.0.0.1", 8404)
    ends = time.monotonic() + FIRST_CHECK_SECONDS
    while True:
        text = httpx.get(f"http://127.0.0.1:{local}/stats;csv", timeout=5).raise_for_status().text
        rows = csv.DictReader(text.removeprefix("# ").splitlines())
        found = {row["svname"]: row for row in rows if row["pxname"] == backend and row["type"] == "2"}
        if (
            "INI" not in {row["check_status"].lstrip("* ") for row in found.values()}
            or time.monotonic() > ends
        ):
            break
        time.sleep(0.2)
    if not found:
        pytest.fail(f"HAProxy has no backend {backend} with a server")
    return found


def _take_traffic(servers: Servers) -> None:
    heaviest = max(int(row["weight"] or 0) for row in servers.values())
    for name, row in servers.items():
        assert row["bck"] == "0", f"{name} is only a backup"
        assert row["status"].startswith("UP") or row["status"] == "no check", f"{name} is {row['status']}"
        weight = int(row["weight"] or 0)
        assert weight == heaviest, f"{name} has weight {weight}, another one has {heaviest}"


def _are_checked(servers: Servers) -> None:
    for name, row in servers.items():
        assert row["status"] != "no check", f"{name} is not health-checked"
        found = row["check_status"].lstrip("* ")
        assert found.startswith("L7") or not row["status"].startswith("UP"), (
            f"the health check of {name} ({found or 'none'}) sends no request"
        )


def _seconds(given: str) -> float:
    found = re.fullmatch(r"(\d+)(us|ms|s|m|h|d)?", given)
    assert found, f"{CONFIG}: {given} is no time"
    return int(found[1]) * UNITS[found[2] or "ms"]
