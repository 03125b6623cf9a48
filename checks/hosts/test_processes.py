"""The app's processes: hardening, restarts, logs (I3, P9)."""

from __future__ import annotations

import json

from checks.kit.check import check, not_evaluated
from checks.kit.hosts import Host
from slipway.stack import LiveStack


@check(
    "P9",
    "I7",
    severity="critical",
    asvs="13.2.2",
    why="a compromised process that runs as root owns the host",
    remedy="release again: slipway gives each process an account of its own",
    roles=("web", "worker"),
)
def test_app_processes_are_not_root(host: Host, app_services: list[Host]) -> None:
    for service in app_services:
        user = service.systemd_properties.get("User", "")
        owner = host.file(f"/proc/{_main_pid(service)}").user
        assert user and user != "root", f"{service.name} has User={user or 'root'}"
        assert owner != "root", f"{service.name} runs as {owner}"


@check(
    "I3",
    severity="high",
    why="a process that exits and is not restarted is an outage",
    remedy="Restart=always in the unit",
    roles=("web", "worker"),
)
def test_app_processes_are_restarted(app_services: list[Host]) -> None:
    for service in app_services:
        restart = service.systemd_properties["Restart"]
        assert restart in ("always", "on-failure"), f"{service.name} has Restart={restart}"


@check(
    "I3",
    severity="high",
    why="users notice a crash loop before an operator does",
    remedy="slipway logs shows why it ended; then systemctl reset-failed UNIT sets the counter back",
    roles=("web", "worker"),
)
def test_app_processes_do_not_keep_dying(live_services: list[Host]) -> None:
    for service in live_services:
        restarts = int(service.systemd_properties.get("NRestarts", 0))
        assert restarts < 3, f"{service.name} was restarted {restarts} times"


@check(
    "I11",
    "X13",
    severity="medium",
    asvs="16.2.1",
    why="alarms and searches need log lines that a program can parse",
    remedy="log one JSON object per line, with checks.log_keys of slipway.toml",
    roles=("web", "worker"),
    needs=("checks.log_keys",),
)
def test_the_app_logs_json_lines(host: Host, live_services: list[Host], live: LiveStack) -> None:
    keys = live.app.checks.log_keys
    if not keys:
        not_evaluated("declare checks.log_keys in slipway.toml")
    judged = 0
    for service in live_services:
        unit, now = service.name, service.systemd_properties["InvocationID"]
        # testinfra has no module for the journal. These are lines of the unit's own processes since it was
        # started, without systemd's about the unit: a slot may have served another build before.
        log = host.run("journalctl --no-pager -o cat -n 50 %s", f"_SYSTEMD_INVOCATION_ID={now}").stdout
        # Until systemd has executed the unit's program, its own lines count as the unit's.
        lines = [line for line in log.splitlines() if line.strip() and "systemd" not in line]
        objects = [each for each in map(_json, lines) if each is not None]
        if not lines:
            continue  # it has written nothing yet, or its journal was emptied
        judged += 1
        plain = len(lines) - len(objects)
        assert objects, f"{unit} logged no JSON line"
        assert plain <= len(lines) * 0.1, f"{unit}: {plain} of {len(lines)} lines are no JSON"
        for key in keys:
            assert key in objects[-1], f"{unit}: a line has no {key}"
    if not judged:
        not_evaluated("the live processes have logged nothing yet")


@check(
    "P9",
    severity="high",
    why="development mode is slow and exposes internals in its errors",
    remedy='NODE_ENV = { value = "production" } in [env] of slipway.toml',
    roles=("web", "worker"),
    needs=("env.NODE_ENV",),
)
def test_the_app_runs_in_production_mode(host: Host, live_services: list[Host], live: LiveStack) -> None:
    if "NODE_ENV" not in live.app.env:
        not_evaluated("the app's contract has no NODE_ENV")
    for service in live_services:
        # grep on the host: with file().content the app's secrets would come to this machine.
        environ = f"/proc/{_main_pid(service)}/environ"
        found = host.run("tr '\\0' '\\n' < %s | grep ^NODE_ENV=", environ).stdout.strip()
        assert found == "NODE_ENV=production", f"{service.name} runs with {found or 'no NODE_ENV'}"


@check(
    "P9",
    severity="medium",
    why="if the app can change its code, what runs may differ from what was built",
    remedy="slipway release lays builds out read-only for the app's user: what changed the mode?",
    roles=("web", "worker"),
)
def test_the_app_cannot_write_its_own_code(host: Host) -> None:
    writable = "-not -user root -o -perm -0002 -not -type l"
    # find: testinfra's file() reads one path at a time, and these are trees.
    loose = host.check_output(f"find /srv/slipway/layers /srv/slipway/builds {writable} | head -5").split()
    assert not loose, f"the app may change {', '.join(loose)}"


def _main_pid(service: Host) -> str:
    return service.systemd_properties["MainPID"]


def _json(line: str) -> dict[str, object] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None  # pyright: ignore[reportUnknownVariableType]
