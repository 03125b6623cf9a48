"""The app's processes: hardened, kept running, on the live release, with JSON logs (I3, P9, S4)."""

from __future__ import annotations

import json

from checks.kit.check import check, not_evaluated
from checks.kit.hosts import LiveHost
from slipway.stack import LiveStack

EXPOSURE = 4.0
"""Highest score of `systemd-analyze security`: 0 is best, 10 is worst."""


@check(
    "P9",
    severity="medium",
    standard="Lynis BOOT-5264",
    why="a process that is broken into should be able to do little",
    remedy="slipway's own units are hardened: what overrides them in /etc/systemd/system/*.d?",
    roles=("web", "worker"),
)
def test_app_units_are_hardened(host: LiveHost) -> None:
    units = app_units(host)
    assert units, "no unit of the app is running"
    for unit in units:
        said = host.run(f"systemd-analyze security --no-pager {unit} | tail -1")
        score = float(said.split(":", 1)[1].split()[0])
        assert score <= EXPOSURE, f"{unit} has an exposure of {score}; {EXPOSURE} is the most"


@check(
    "P9",
    "I7",
    severity="critical",
    asvs="13.2.2",
    why="a process that runs as root owns the host when it is broken into",
    remedy="User=slipway-app in the unit",
    roles=("web", "worker"),
)
def test_app_processes_are_not_root(host: LiveHost) -> None:
    for unit in app_units(host):
        user = host.run(f"systemctl show --value -p User {unit}").strip()
        pid = host.run(f"systemctl show --value -p MainPID {unit}").strip()
        owner = host.run(f"stat -c %U /proc/{pid}").strip()
        assert user and user != "root", f"{unit} has User={user or 'root'}"
        assert owner != "root", f"{unit} runs as {owner}"


@check(
    "I3",
    severity="high",
    why="a process that ends and is not started again is an outage",
    remedy="Restart=always in the unit",
    roles=("web", "worker"),
)
def test_app_processes_are_started_again(host: LiveHost) -> None:
    for unit in app_units(host):
        restart = host.run(f"systemctl show --value -p Restart {unit}").strip()
        assert restart in ("always", "on-failure"), f"{unit} has Restart={restart}"


@check(
    "I3",
    severity="high",
    why="a process that keeps dying is seen by users before it is seen in a list",
    remedy="slipway logs tells why it ended",
    roles=("web", "worker"),
)
def test_app_processes_do_not_keep_dying(host: LiveHost) -> None:
    for unit in app_units(host):
        restarts = int(host.run(f"systemctl show --value -p NRestarts {unit}").strip() or 0)
        assert restarts < 3, f"{unit} was started again {restarts} times"


@check(
    "I11",
    "X13",
    severity="medium",
    asvs="16.2.1",
    why="lines that no program can read are lines that no alarm can count",
    remedy="log one JSON object a line with time, level and service",
    roles=("web", "worker"),
)
def test_the_app_logs_json_lines(host: LiveHost) -> None:
    for unit in app_units(host):
        # Only what the unit's own processes wrote: systemd's lines about the unit are no JSON.
        asked = f"journalctl --no-pager -o cat -n 50 _SYSTEMD_UNIT={unit}"
        # systemd itself writes as the unit until it has become the unit's program.
        lines = [line for line in host.run(asked).splitlines() if line.strip() and "systemd" not in line]
        objects = [each for each in map(_json, lines) if each is not None]
        plain = len(lines) - len(objects)
        assert objects, f"{unit} logged no JSON line"
        assert plain <= len(lines) * 0.1, f"{unit}: {plain} of {len(lines)} lines are no JSON"
        for key in ("level", "service"):
            assert key in objects[-1], f"{unit}: a line has no {key}"


@check(
    "P9",
    severity="high",
    why="a development setting in production is slow and tells too much",
    remedy='NODE_ENV = { value = "production" } in [env] of slipway.toml',
    roles=("web", "worker"),
)
def test_the_app_runs_in_production_mode(host: LiveHost, live: LiveStack) -> None:
    if "NODE_ENV" not in live.app.env:
        not_evaluated("the app's contract has no NODE_ENV")
    for unit in app_units(host):
        pid = host.run(f"systemctl show --value -p MainPID {unit}").strip()
        said = host.run(f"tr '\\0' '\\n' < /proc/{pid}/environ | grep ^NODE_ENV= ; true").strip()
        assert said == "NODE_ENV=production", f"{unit} runs with {said or 'no NODE_ENV'}"


@check(
    "P9",
    severity="medium",
    why="what can be changed on the host is not what was built",
    remedy="builds are laid out read-only for the app's user",
    roles=("web", "worker"),
)
def test_the_app_cannot_write_its_own_code(host: LiveHost) -> None:
    writable = "-user slipway-app -o -perm -0002 -not -type l"
    loose = host.run(f"find /srv/slipway/layers /srv/slipway/builds {writable} | head -5").split()
    assert not loose, f"the app may change {', '.join(loose)}"


@check(
    "P9",
    "S4",
    severity="high",
    why="hosts on different releases answer the same question differently",
    remedy="slipway status tells; slipway release brings all to one",
)
def test_all_hosts_run_the_live_release(live: LiveStack) -> None:
    release = live.release
    assert release is not None, "nothing was released yet"
    for name, status in live.statuses().items():
        lives = [slot.release for slot in status.slots.values() if slot.state == "live"]
        assert lives == [release], f"{name} runs release {lives or 'none'}, live is {release}"


@check(
    "S4",
    severity="medium",
    why="a rollback that first has to boot takes longer than users wait",
    remedy="retire.hold_seconds in slipway.toml",
    required=False,
)
def test_the_last_release_is_kept_for_a_rollback(live: LiveStack) -> None:
    head = live.ledger.head()
    if head.live is None or head.live < 2:
        not_evaluated("there was only one release yet")
    for name, status in live.statuses().items():
        kept = [slot.release for slot in status.slots.values() if slot.state in ("warm", "draining")]
        assert kept, f"{name} keeps no release beside the live one"


@check(
    "S8",
    "P9",
    severity="medium",
    why="a flag that was switched by hand on one host is another there, and gone with the next release",
    remedy="slipway release ships a configuration as it ships a build",
)
def test_hosts_run_the_released_configuration(live: LiveStack) -> None:
    head = live.ledger.head()
    assert head.live is not None, "nothing was released yet"
    released = live.ledger.get(head.live).config
    for name, status in live.statuses().items():
        configs = [slot.config for slot in status.slots.values() if slot.state == "live"]
        assert configs == [released], f"{name} runs configuration {configs}, {released} was released"


def app_units(host: LiveHost) -> list[str]:
    """The running units of the app's processes."""
    asked = "systemctl list-units --type=service --state=running --plain --no-legend 'slipway-*@*'"
    return [line.split()[0] for line in host.run(asked).splitlines() if line.strip()]


def _json(line: str) -> dict[str, object] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None  # pyright: ignore[reportUnknownVariableType]
