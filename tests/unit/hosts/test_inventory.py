"""What belongs on a host follows from its set-up; everything else is named. Pure: no host is asked."""

from __future__ import annotations

import copy
import functools
import re
from typing import Any

import pytest

from hosts.inventory.expected import note_haproxy, set_ups
from hosts.inventory.hardening import SETTINGS, settings_of
from hosts.inventory.judge import deviations
from hosts.inventory.look import program
from hosts.inventory.on_host.state import loaded
from hosts.inventory.parts import Inventory
from hosts.inventory.released import Released
from hosts.plan import FleetPlan

_made: dict[str, Any] = {}
LOCAL = {
    name: {"resolvers": ["127.0.0.11"], "image_is_known": True}
    for name in ("edge", "web1", "web2", "worker1", "data1")
}
"""What platform local knows beside the set-up."""


@pytest.fixture
def inventories(plan: FleetPlan) -> dict[str, Inventory]:
    """Made once, since a dry run of five hosts takes seconds."""
    if not _made:
        _made.update({name: each.to_json() for name, each in set_ups(plan, LOCAL)[1].items()})
    return {name: Inventory.from_json(copy.deepcopy(each)) for name, each in _made.items()}


def as_set_up(inventory: Inventory) -> dict[str, Any]:
    """The facts of a host on which all is as it should be."""
    # ruff: noqa: E501
    files = {
        path: {"kind": "file", "mode": each.mode or "644", "user": each.user or "root", "group": each.group or "root",
               "sha256": each.sha256}
        for path, each in (*inventory.files.items(), *inventory.folders.items())
    }  # fmt: skip
    unit = {
        "LoadState": "loaded", "ActiveState": "active", "UnitFileState": "enabled", "NeedDaemonReload": "no",
        "DropInPaths": "", "FragmentPath": "", "names": "", "process": "",
    }  # fmt: skip
    states = {
        name: {
            **dict.fromkeys(SETTINGS, ""),
            **unit,
            "UnitFileState": "disabled" if each.enabled is False else "enabled",
        }
        for name, each in inventory.units.items()
    }
    people = {"root": {"uid": 0, "shell": "/bin/bash", "home": "/root"}}
    people |= {name: {"uid": 900, "shell": "/usr/sbin/nologin", "home": "/"} for name in inventory.users}
    return {
        "files": files, "foreign": {}, "changed": [], "privileged": {}, "loose": [], "users": people, "passwords": [],
        "empty": [], "groups": {}, "keys": {}, "sshd": {}, "sudo": {}, "listening": [], "firewall": "chain",
        "firewall_file": "chain", "tables": {}, "mounts": [], "authorities": [], "units": states, "slots": {}, "former": [],
        "all_units": [], "kernel": {}, "container": "docker", "held": [], "missing": [], "disks": {"/": [50, 50]},
        "journald": "\n".join(f"{key}={value}" for key, value in inventory.journal.items()), "journal_folder": True,
        "journal_bytes": 1, "environment": [], "haproxy": {}, "hostname": inventory.host, "time_zone": "UTC", "profile": True,
        "lookups": {"/etc/nsswitch.conf": "passwd: files\nhosts: files dns", "/etc/resolv.conf": "", "/etc/hosts": "", "/etc/fstab": ""},
        "routes": [], "rules": [], "neighbours": [], "links": [], "queues": [],
        "strangers": [],
    }  # fmt: skip


def found(
    inventory: Inventory, *place: str, value: object = None, image_is_known: bool = True
) -> list[tuple[str, str]]:
    """Topic and name of every deviation after `value` was set (or appended to a list) at `place` of the facts."""
    facts: dict[str, Any] = as_set_up(inventory)
    inventory.image_is_known = image_is_known
    inventory.settings.clear()  # what systemd says of a unit's settings is tried on real hosts
    if place:
        *folders, last = place
        at: dict[str, Any] = facts
        for name in folders:
            at = at[name]
        if isinstance(at.get(last), list):
            at[last].append(value)
        else:
            at[last] = value
    return [(each.topic, each.what) for each in deviations(inventory, facts, Released({"web"}))]


def test_a_host_as_it_was_set_up_has_no_deviation(inventories: dict[str, Inventory]) -> None:
    assert {name: found(each) for name, each in inventories.items()} == {name: [] for name in inventories}


def test_the_inventory_names_what_the_set_up_places(inventories: dict[str, Inventory]) -> None:
    data = inventories["data1"]
    assert data.files["/etc/slipway/s3/root.env"].mode == "600"
    assert data.files["/etc/slipway/pgbouncer/server.key"].group == "postgres"
    assert data.folders["/etc/slipway/env"].mode == "700"
    assert data.users == ["versitygw"]
    assert data.units["slipway-backup.timer"].active
    assert data.ports == [5432, 6432, 6379, 7070]
    assert data.kernel["kernel.kptr_restrict"] == "2"
    assert data.journal["Storage"] == "persistent"
    assert inventories["edge"].haproxy_connections == "8000"
    assert "/etc/haproxy/site.pem" in inventories["edge"].handlers["haproxy-reload"]


@pytest.mark.parametrize("port", ["21001", "22001"])
def test_the_app_may_listen_on_any_address_by_its_own_port(
    inventories: dict[str, Inventory], port: str
) -> None:
    listening = ["tcp", "0.0.0.0", port, "node", "60706"]
    assert found(inventories["web1"], "listening", value=listening) == []
    assert found(inventories["data1"], "listening", value=listening) == [("port", f"tcp {port}")]


def test_an_inventory_survives_as_json(inventories: dict[str, Inventory]) -> None:
    assert Inventory.from_json(inventories["web1"].to_json()) == inventories["web1"]


def test_no_inventory_holds_a_secret(inventories: dict[str, Inventory], plan: FleetPlan) -> None:
    text = str([each.to_json() for each in inventories.values()])
    assert [name for name, value in plan.secrets.items() if value in text] == []


@pytest.mark.parametrize(
    ("place", "value", "named"),
    [
        (("files", "/etc/slipway/ca.pem"), None, ("file", "/etc/slipway/ca.pem")),
        (("files", "/etc/haproxy/haproxy.cfg", "sha256"), "other", ("file", "/etc/haproxy/haproxy.cfg")),
        (("files", "/etc/slipway/env", "mode"), "755", ("mode", "/etc/slipway/env")),
        (("units", "haproxy.service", "ActiveState"), "failed", ("unit", "haproxy.service")),
        (("foreign", "/etc/cron.d/x"), {"kind": "file"}, ("startup", "/etc/cron.d/x")),
        (("all_units",), "slipway-miner@blue-1.service", ("startup", "slipway-miner@blue-1.service")),
        (("listening",), ["udp", "0.0.0.0", "123", "", "0"], ("port", "udp 123")),
        (("listening",), ["tcp", "::", "8081", "", "60706"], ("port", "tcp 8081")),
        (("listening",), ["tcp", "0.0.0.0", "21001", "nc", "0"], ("port", "tcp 21001")),
        (("listening",), ["tcp", "127.0.0.1", "9999", "", "0"], ("port", "tcp 127.0.0.1:9999")),
        (("groups", "app-web"), ["www-data"], ("account", "www-data")),
        (("firewall",), "", ("firewall", "inet slipway")),
        (("privileged", "/usr/bin/env"), "SUID root", ("privilege", "/usr/bin/env")),
        (("disks", "/mnt/x"), [50, 3], ("disk", "/mnt/x")),
        (("foreign", "/usr/bin/x"), {"kind": "file"}, ("program", "/usr/bin/x")),
        (("foreign", "/etc/vim/vimrc.local"), {"kind": "file"}, ("startup", "/etc/vim/vimrc.local")),
        (("foreign", "/root/.bashrc"), {"kind": "file"}, ("startup", "/root/.bashrc")),
        (("changed",), "/etc/login.defs", ("startup", "/etc/login.defs")),
        (("strangers",), "/tmp/miner (deleted)", ("program", "/tmp/miner (deleted)")),
        (("time_zone",), "Tokyo", ("name", "the host's time zone")),
        (("hostname",), "other", ("name", "the host's name")),
        (
            ("foreign", "/etc/postgresql/15/main/environment"),
            {"kind": "file", "text": "# x\nLD_PRELOAD = /tmp/x.so"},
            ("startup", "/etc/postgresql/15/main/environment"),
        ),
        (("profile",), False, ("startup", "/etc/profile")),
        (("lookups", "/etc/resolv.conf"), "nameserver 203.0.113.5", ("name", "/etc/resolv.conf")),
        (("lookups", "/etc/hosts"), "203.0.113.5 s3.example.com", ("name", "/etc/hosts")),
        (
            ("lookups", "/etc/nsswitch.conf"),
            "passwd: files\nhosts: files stranger dns",
            ("name", "/etc/nsswitch.conf"),
        ),
        (("lookups", "/etc/nsswitch.conf"), "passwd: files\nhosts: dns", ("name", "/etc/nsswitch.conf")),
        (("lookups", "/etc/fstab"), "/dev/sdb1 /mnt ext4 defaults 0 2", ("mount", "/etc/fstab")),
        (
            ("routes",),
            {"type": "blackhole", "dst": "198.51.100.0/24"},
            ("route", "blackhole 198.51.100.0/24"),
        ),
        (
            ("routes",),
            {"dst": "198.51.100.0/24", "gateway": "10.0.0.1"},
            ("route", "route to 198.51.100.0/24"),
        ),
        (("rules",), {"priority": 5, "src": "10.0.0.1"}, ("route", "rule 5")),
        (("neighbours",), {"dst": "10.0.0.9", "lladdr": "02:00"}, ("route", "neighbour 10.0.0.9")),
        (("links",), {"ifname": "wg0", "linkinfo": {"info_kind": "wireguard"}}, ("route", "link wg0")),
        (("queues",), {"kind": "netem", "dev": "eth0"}, ("route", "queue netem of eth0")),
    ],
)
def test_what_differs_is_named(
    inventories: dict[str, Inventory], place: tuple[str, ...], value: object, named: tuple[str, str]
) -> None:
    assert found(inventories["web1"], *place, value=value) == [named]


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("listening",), ["tcp", "127.0.0.1", "9999", "", "60706"]),
        (("listening",), ["tcp", "127.0.0.1", "8404", "", "0"]),
        (("listening",), ["udp", "127.0.0.11", "39102", "", "0"]),
        (("groups", "ssl-cert"), ["postgres"]),
        (("groups", "cdrom"), ["debian"]),
        (("all_units",), "slipway-web@green-2.service"),
        (("tables", "ip nat"), "chain OUTPUT {\n ip daddr 127.0.0.11 jump DOCKER\n}"),
        (("foreign", "/etc/slipway/env/blue/web.env"), {"kind": "file"}),
        (("mounts",), {"root": "/", "at": "/data", "type": "ext4", "from": "/dev/sdb1"}),
        (("foreign", "/etc/ssl/certs/0.pem"), {"kind": "link", "target": "/etc/ssl/x.pem"}),
        (("lookups", "/etc/resolv.conf"), "# Docker\nnameserver 127.0.0.11\noptions ndots:0"),
        (("lookups", "/etc/hosts"), "127.0.0.1 localhost\n::1 ip6-localhost ip6-loopback\n10.0.0.4 web1"),
        (
            ("lookups", "/etc/nsswitch.conf"),
            "passwd: files systemd\nhosts: files mymachines resolve [!UNAVAIL=return] dns",
        ),
        (("routes",), {"dst": "default", "gateway": "10.0.0.1"}),
        (("routes",), {"type": "unreachable", "dst": "default", "protocol": "kernel"}),
        (("rules",), {"priority": 32766, "src": "all"}),
    ],
)
def test_what_belongs_is_not_named(
    inventories: dict[str, Inventory], place: tuple[str, ...], value: object
) -> None:
    assert found(inventories["web1"], *place, value=value) == []


PROVIDED: list[tuple[tuple[str, ...], object]] = [
    (("foreign", "/etc/netplan/50-cloud-init.yaml"), {"kind": "file"}),
    (
        ("foreign", "/etc/apt/sources.list.d/mirror.list"),
        {"kind": "file", "text": "deb https://mirror.example/ x main"},
    ),
    (("changed",), "/etc/cloud/cloud.cfg"),
    (("routes",), {"dst": "172.31.1.1", "dev": "eth0"}),
    (("rules",), {"priority": 5210, "src": "all"}),
    (("foreign", "/usr/lib/x86_64-linux-gnu/x.so"), {"kind": "file"}),
    (("strangers",), "/snap/snapd/23/usr/lib/snapd/snapd"),
    (("listening",), ["udp", "127.0.0.1", "323", "chronyd", "0"]),
]
"""What providers' images and owners' networks bring."""


@pytest.mark.parametrize(("place", "value"), PROVIDED)
def test_what_a_provider_brings_belongs_on_a_machine_and_not_in_a_local_container(
    inventories: dict[str, Inventory], place: tuple[str, ...], value: object
) -> None:
    machine = functools.partial(found, inventories["web1"], *place, value=value)
    assert machine(image_is_known=False) == []
    assert len(machine()) == 1


@pytest.mark.parametrize(
    "text", ["deb [trusted=yes] http://203.0.113.5/ ./", "Types: deb\nURIs: http://x\nAllow-Insecure: yes"]
)
def test_packages_without_a_signature_are_named_on_any_machine(
    inventories: dict[str, Inventory], text: str
) -> None:
    place = ("foreign", "/etc/apt/sources.list.d/x.list")
    named = found(inventories["web1"], *place, value={"kind": "file", "text": text}, image_is_known=False)
    assert named == [("package", place[1])]


def test_what_haproxys_socket_changed_is_named(inventories: dict[str, Inventory]) -> None:
    edge = inventories["edge"]
    edge.settings.clear()
    facts = as_set_up(edge)
    facts["haproxy"] = dict.fromkeys(("ConnRateLimit", "SessRateLimit", "SslRateLimit"), "0") | {
        "Maxconn": "8000"
    }
    facts["haproxy_frontends"] = {name: ["OPEN", most] for name, most in edge.haproxy_frontends.items()}
    facts["haproxy_servers"] = {name: [place, "1", "1"] for name, place in edge.haproxy_servers.items()}
    assert {"web/web1", "kept/web2", "uploads/data"} <= facts["haproxy_servers"].keys()
    assert {"http", "https", "uploads"} <= facts["haproxy_frontends"].keys()
    assert deviations(edge, facts) == []
    facts["haproxy"]["Maxconn"] = "55"
    facts["haproxy_frontends"] = {name: ["OPEN", "55"] for name in edge.haproxy_frontends}
    assert [each.what for each in deviations(edge, facts)] == ["HAProxy's maxconn"]
    facts["haproxy"]["Maxconn"] = "8000"
    facts["haproxy_frontends"] = {name: ["OPEN", most] for name, most in edge.haproxy_frontends.items()}
    facts["haproxy_frontends"]["https"] = ["OPEN", "7"]
    facts["haproxy_servers"]["kept/web1"][0] = "198.51.100.8:8080"
    facts["haproxy_servers"]["web/web2"][1] = "0"
    facts["haproxy_servers"]["web/web3"] = ["198.51.100.8:80", "1", "1"]
    assert [each.what for each in deviations(edge, facts)] == [
        "HAProxy's maxconn of https",
        "HAProxy's server kept/web1",
        "HAProxy's server web/web3",
        "HAProxy's weight of web/web2",
    ]


def test_a_frontends_limit_is_its_own_or_that_of_its_defaults(inventories: dict[str, Inventory]) -> None:
    edge = inventories["edge"]
    text = (
        "global\n maxconn 8000\ndefaults\n maxconn 500\nfrontend a\n # x\n bind :80\nfrontend b\n maxconn 9\n"
    )
    note_haproxy(edge, text + "defaults\n mode http\nfrontend c\n bind 127.0.0.1:8404\n")
    assert {name: edge.haproxy_frontends[name] for name in "abc"} == {"a": "500", "b": "9", "c": "8000"}
    assert edge.haproxy_connections == "8000"
    assert 8404 in edge.loopback_ports


def service_settings(text: str) -> dict[str, str]:
    """What `systemctl show` prints of a unit file that is loaded as it is."""
    said = settings_of(text.partition("[Service]")[2])
    limits = {"TimeoutStopUSec": f"{said['TimeoutStopSec']}s", "MemoryMax": str(512 << 20)}
    return {**said, **limits, "SystemCallFilter": "read write"}


def test_a_unit_of_a_release_is_held_to_what_the_agent_writes(inventories: dict[str, Inventory]) -> None:
    released = Released()
    released.add("b1", {"web": {"command": "serve", "drain_seconds": 20}}, {"nightly": {}}, None)
    assert released.names == {"web", "cron-nightly"}
    (path,) = (path for path in released.units if "blue" in path)
    (text,) = released.units[path]
    facts = as_set_up(inventories["web1"])
    inventories["web1"].settings.clear()
    running = {**dict.fromkeys(SETTINGS, ""), **service_settings(text)}
    state = {"LoadState": "loaded", "ActiveState": "active", "NeedDaemonReload": "no", "process": ""}
    name = path.rpartition("/")[2]
    facts["units"][name] = {**running, **state, "DropInPaths": "", "FragmentPath": path, "names": name}
    facts["slots"] = {path: text}
    assert deviations(inventories["web1"], facts, released) == []
    facts["slots"] = {path: text.replace("TimeoutStopSec=20", "TimeoutStopSec=1")}
    (found,) = deviations(inventories["web1"], facts, released)
    assert (found.topic, found.found) == ("hardening", "other TimeoutStopSec")
    # An older slipway wrote it, with other limits; the slot does not serve.
    older = re.sub(r"User=.*", "User=slipway-app", text).replace(
        "LimitNOFILE=65536", "LimitNOFILE=1024\nNice=1"
    )
    facts["slots"], facts["former"] = {path: older}, [path]
    facts["units"][name] |= {**service_settings(older), "process": "NoNewPrivs: 1\nSeccomp: 2"}
    assert deviations(inventories["web1"], facts, released) == []
    facts["units"][name] |= {"LimitNOFILE": "9999", "process": "NoNewPrivs: 1\nSeccomp: 0"}
    assert {each.what for each in deviations(inventories["web1"], facts, released)} == {
        f"{name} LimitNOFILE",
        f"process of {name} Seccomp",
    }


def test_the_program_for_hosts_is_one_text_of_the_standard_library(inventories: dict[str, Inventory]) -> None:
    text = program(inventories["web1"])
    compile(text, "on_host", "exec")
    assert "from hosts" not in text


def test_a_unit_that_others_name_and_no_one_has_made_is_not_loaded():
    listing = """\
slipway-web@blue-1.service    loaded    active   running slipway web (blue, instance 1)
slipway-redis-tls.service     not-found inactive dead    slipway-redis-tls.service
slipway-miner@blue-1.service  not-found active   running its file is gone, and it runs
"""
    assert loaded(listing) == {"slipway-web@blue-1.service", "slipway-miner@blue-1.service"}
