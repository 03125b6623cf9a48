"""What belongs on a host follows from its set-up; everything else is named. Pure: no host is asked."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from hosts.inventory.expected import set_ups
from hosts.inventory.hardening import SETTINGS
from hosts.inventory.judge import deviations
from hosts.inventory.look import program
from hosts.inventory.parts import Inventory
from hosts.plan import FleetPlan

Change = Callable[[dict[str, Any]], object]


_made: dict[str, Any] = {}


@pytest.fixture
def inventories(plan: FleetPlan) -> dict[str, Inventory]:
    """Made once, since a dry run of five hosts takes seconds."""
    if not _made:
        _made.update({name: each.to_json() for name, each in set_ups(plan, {})[1].items()})
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
        "firewall_file": "chain", "tables": {}, "mounts": [], "authorities": [], "units": states, "slots": {},
        "all_units": [], "kernel": {}, "container": "docker", "held": [], "missing": [], "disks": {"/": [50, 50]},
        "journald": "\n".join(f"{key}={value}" for key, value in inventory.journal.items()), "journal_folder": True,
        "journal_bytes": 1, "environment": [], "haproxy": {},
    }  # fmt: skip


def found(inventory: Inventory, change: Change) -> list[tuple[str, str]]:
    facts = as_set_up(inventory)
    inventory.settings.clear()  # what systemd says of a unit's settings is tried on real hosts
    change(facts)
    return [(each.topic, each.what) for each in deviations(inventory, facts, {"web"})]


def test_a_host_as_it_was_set_up_has_no_deviation(inventories: dict[str, Inventory]) -> None:
    assert {name: found(each, lambda facts: None) for name, each in inventories.items()} == {
        name: [] for name in inventories
    }


def test_the_inventory_names_what_the_set_up_places(inventories: dict[str, Inventory]) -> None:
    data = inventories["data1"]
    assert data.files["/etc/slipway/s3/root.env"].mode == "600"
    assert data.files["/etc/slipway/pgbouncer/server.key"].group == "postgres"
    assert data.folders["/etc/slipway/env"].mode == "700"
    assert data.users == ["slipway-app", "versitygw"]
    assert data.units["slipway-backup.timer"].active
    assert data.ports == [5432, 6432, 6379, 7070]
    assert data.kernel["kernel.kptr_restrict"] == "2"
    assert data.journal["Storage"] == "persistent"
    assert inventories["edge"].haproxy_connections == "8000"
    assert "/etc/haproxy/site.pem" in inventories["edge"].handlers["haproxy-reload"]


def test_an_inventory_survives_as_json(inventories: dict[str, Inventory]) -> None:
    assert Inventory.from_json(inventories["web1"].to_json()) == inventories["web1"]


def test_no_inventory_holds_a_secret(inventories: dict[str, Inventory], plan: FleetPlan) -> None:
    text = str([each.to_json() for each in inventories.values()])
    assert [name for name, value in plan.secrets.items() if value in text] == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda facts: facts["files"].update({"/etc/slipway/ca.pem": None}), ("file", "/etc/slipway/ca.pem")),
        (
            lambda facts: facts["files"]["/etc/haproxy/haproxy.cfg"].update(sha256="other"),
            ("file", "/etc/haproxy/haproxy.cfg"),
        ),
        (lambda facts: facts["files"]["/etc/slipway/env"].update(mode="755"), ("mode", "/etc/slipway/env")),
        (
            lambda facts: facts["units"]["haproxy.service"].update(ActiveState="failed"),
            ("unit", "haproxy.service"),
        ),
        (
            lambda facts: facts["foreign"].update({"/etc/cron.d/x": {"kind": "file"}}),
            ("startup", "/etc/cron.d/x"),
        ),
        (
            lambda facts: facts["all_units"].append("slipway-miner@blue-1.service"),
            ("startup", "slipway-miner@blue-1.service"),
        ),
        (lambda facts: facts["listening"].append(["udp", "0.0.0.0", "123", ""]), ("port", "udp 123")),
        (lambda facts: facts["listening"].append(["tcp", "::", "8081", ""]), ("port", "tcp 8081")),
        (lambda facts: facts.update(firewall=""), ("firewall", "inet slipway")),
        (
            lambda facts: facts["privileged"].update({"/usr/bin/env": "SUID root"}),
            ("privilege", "/usr/bin/env"),
        ),
        (lambda facts: facts["disks"].update({"/mnt/x": [50, 3]}), ("disk", "/mnt/x")),
    ],
)
def test_what_differs_is_named(
    inventories: dict[str, Inventory], change: Change, named: tuple[str, str]
) -> None:
    assert found(inventories["web1"], change) == [named]


@pytest.mark.parametrize(
    "change",
    [
        lambda facts: facts["listening"].append(["tcp", "127.0.0.1", "9999", ""]),
        lambda facts: facts["all_units"].append("slipway-web@green-2.service"),
        lambda facts: facts["tables"].update(
            {"ip nat": "chain OUTPUT {\n ip daddr 127.0.0.11 jump DOCKER\n}"}
        ),
        lambda facts: facts["foreign"].update({"/etc/slipway/env/blue/web.env": {"kind": "file"}}),
        lambda facts: facts["mounts"].append(
            {"root": "/", "at": "/data", "type": "ext4", "from": "/dev/sdb1"}
        ),
    ],
)
def test_what_belongs_is_not_named(inventories: dict[str, Inventory], change: Change) -> None:
    assert found(inventories["web1"], change) == []


def test_the_program_for_hosts_is_one_text_of_the_standard_library(inventories: dict[str, Inventory]) -> None:
    text = program(inventories["web1"])
    compile(text, "on_host", "exec")
    assert "from hosts" not in text
