"""Whatever slipway.toml and a manifest may hold stays a value: it adds nothing to a unit or a configuration.

`test_generated_settings…` found, before these were fixed: a line break in `processes.*.directory` that added
`User=root`, full-width digits in `memory_max` that systemd ignored, a quote in `private_paths` and a `;` in
`processes.web.ready` that ended HAProxy's words and commands.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings, strategies as st
from pydantic import ValidationError

from hosts import edge, web
from hosts.agent import cron, envfile, haproxy, stage, units
from hosts.agent.errors import AgentError
from hosts.agent.host import Paths
from hosts.agent.json_object import JsonObject
from hosts.agent.state import Process
from hosts.plan import FleetPlan, LoadBalancer
from slipway.settings import App
from slipway.settings.app_rules import broken_rules
from tests.unit.agent.conftest import TICKET, World
from tests.unit.attacks.configs import (
    HAS_SYSTEMD_ANALYZE,
    foreign_in_haproxy,
    foreign_in_unit,
    systemd_refuses,
)
from tests.unit.hosts.conftest import haproxy_refuses
from tests.unit.hosts.live import moved

BOARD = Path(__file__).parents[3] / "examples/board"
TOML: dict[str, Any] = tomllib.loads((BOARD / "slipway.toml").read_text())
TOML["cron"]["nightly"] = {"schedule": "daily", "command": "bun run nightly"}
TOML["processes"]["web"] |= {"directory": "apps/web", "stop_signal": "SIGTERM"}
TOML["private_paths"] = ["/ready", "/metrics"]

HOSTILE = [
    "\nUser=root", "\rExecStartPre=+/bin/sh -c id", "\n", "\r", "\t", "\0", "\x1b[2J", "\x7f",
    "\x85User=root", "\u2028", "\ufdd0", "\uffff", "\\", "\\\n", "%h", "%", "'", '"', "`", "$", "$(id)", "#",
    " #", ";", ";shutdown sessions", " ", "  x", "/", "//", "/..", "/../..", "..", ".", "*", "{", "}",
    " if TRUE", "\u2215",
    "\uff15\uff11\uff12", "9" * 20, "%0a", "?", "&&", "|", "<<", "-", "~", "[Service]", "=", "é",
]  # fmt: skip
Place = tuple[str | int, ...]


def texts(value: object, at: Place = ()) -> Iterator[tuple[Place, str]]:
    """Every text in `value`, with its place."""
    if isinstance(value, str):
        yield at, value
    elif isinstance(value, dict):
        for key, inner in cast("dict[str, object]", value).items():
            yield from texts(inner, (*at, key))
    elif isinstance(value, list):
        for index, inner in enumerate(cast("list[object]", value)):
            yield from texts(inner, (*at, index))


def altered(settings_: dict[str, Any], place: Place, text: str) -> dict[str, Any]:
    """`settings_` with `text` at `place`."""
    changed = copy.deepcopy(settings_)
    node: Any = changed
    for part in place[:-1]:
        node = node[part]
    node[place[-1]] = text
    return changed


REACHING = [
    (place, text)
    for place, text in texts(TOML)
    if place[0] in ("name", "processes", "cron", "private_paths", "websocket", "migrate", "runtime")
]
"""The texts that reach a unit, a configuration or a path."""


Attack = tuple[Place, str]


@st.composite
def attacks(draw: st.DrawFn) -> list[Attack]:
    """One or two places, and what stands there instead."""
    made: list[Attack] = []
    for _ in range(draw(st.integers(1, 2))):
        place, text = draw(st.sampled_from(REACHING))
        bad = draw(st.sampled_from(HOSTILE))
        at = draw(st.integers(0, len(text)))
        full_width = text.translate({ord(digit): ord(digit) + 0xFEE0 for digit in "0123456789"})
        ways = [text + bad, bad + text, bad, text[:at] + bad + text[at:], full_width]
        made.append((place, draw(st.sampled_from(ways))))
    return made


def attacked(made: list[Attack]) -> dict[str, Any]:
    """The example app's settings with each attack in its place."""
    changed = TOML
    for place, text in made:
        changed = altered(changed, place, text)
    return changed


def accepted(content: dict[str, Any]) -> App | None:
    """The app, if the model and its rules take it."""
    try:
        app = App.model_validate(content)
    except ValidationError:
        return None
    return None if broken_rules(app, BOARD) else app


def rendered_units(processes: dict[str, Any], crons: dict[str, Any]) -> dict[str, str]:
    """Every unit file of a release, by name, as the agent renders it."""
    found: dict[str, str] = {}
    for name, fields in processes.items():
        process = Process(name, JsonObject(fields, name))
        for slot in ("blue", "green"):
            found[process.units(slot)[0]] = units.render(Paths(), slot, process, 1)
    for name, fields in crons.items():
        found |= cron._unit_files(name, JsonObject(fields, name))  # pyright: ignore[reportPrivateUsage]
    return found


def configurations(plan: FleetPlan, app: App) -> list[str]:
    """An edge's, a web host's behind it, and a web host's behind a load balancer."""
    plan = dataclasses.replace(plan, app=app)
    balanced = dataclasses.replace(plan, load_balancer=LoadBalancer("10.7.0.0/24", 120))
    return [edge.configuration(plan), web.configuration(plan), web.configuration(balanced)]


_judged: dict[str, str] = {}


def refused_by_haproxy(folder: Path, text: str) -> str:
    """Each text is judged once: most attacks leave most texts as they are."""
    if text not in _judged:
        _judged[text] = haproxy_refuses(folder, moved(text, folder, {}))
    return _judged[text]


# A failure names at most two places: to shrink it would only take time.
BOUNDED = settings(
    max_examples=150,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@BOUNDED
@given(made=attacks())
@example(made=[(("processes", "web", "directory"), "apps/web ")])
@example(made=[(("cron", "daily-summary", "schedule"), "*-*-* 06:00\\")])
def test_generated_settings_that_the_model_takes_render_to_what_systemd_and_haproxy_take(
    plan: FleetPlan, tmp_path: Path, made: list[Attack]
):
    app = accepted(attacked(made))
    if app is None:
        return
    packed = json.loads(app.model_dump_json())
    files = rendered_units(packed["processes"], packed["cron"])
    for name, text in files.items():
        assert foreign_in_unit(text) == [], name
    words = web.empty_map(dataclasses.replace(plan, app=app))
    (tmp_path / "slots.map").write_text(words)
    for text in configurations(plan, app):
        assert foreign_in_haproxy(text) == []
        assert refused_by_haproxy(tmp_path, text) == ""
    assert all(re.fullmatch(r"[a-z-]+ [!-~]+", line) for line in words.splitlines()), words
    assert len(words.splitlines()) == 4
    assert not set(words) & set(";\\\"'#"), "HAProxy's command line would read more than a value"
    changed = {name: text for name, text in files.items() if text not in _judged}
    if HAS_SYSTEMD_ANALYZE and changed:
        calendars = all(_is_calendar(entry["schedule"]) for entry in packed["cron"].values())
        if calendars:  # the agent refuses others before it writes anything (cron.check)
            assert systemd_refuses(tmp_path, files) == ""
            _judged.update(dict.fromkeys(files.values(), ""))


def _is_calendar(schedule: str) -> bool:
    argv = ["systemd-analyze", "calendar", "--", schedule]
    return subprocess.run(argv, capture_output=True, check=False).returncode == 0


@BOUNDED
@given(made=attacks())
def test_generated_manifests_are_refused_by_the_agent_or_stay_values(made: list[Attack]):
    """A manifest may come from someone who can write the builds bucket, past the model."""
    content = attacked(made)
    request = {
        "release": 7, "build": "b1", "fence": 1, "slot": "blue", "env": {}, "site": "app.test",
        "manifest": {name: content[name] for name in ("processes", "cron", "migrate")},
    }  # fmt: skip
    try:
        plan = stage.read_plan("blue", ["web"], JsonObject(request, "request"))
        files = rendered_units({name: p.to_json() for name, p in plan.processes.items()}, plan.cron)
    except AgentError as refused:
        assert refused.code == "bad_request"
        return
    for name, text in files.items():
        assert foreign_in_unit(text) == [], name
    ready = plan.processes["web"].ready
    assert re.fullmatch(r"/[!-~]*", ready), ready
    assert not set(ready) & set(";\\\"'#")


EXPLOITS = {
    "a_line_feed_in_a_directory_adds_a_directive": (("processes", "web", "directory"), "x\nUser=root"),
    "a_carriage_return_in_a_directory_adds_a_directive": (
        ("processes", "web", "directory"),
        "x\rExecStartPre=+/bin/sh -c id",
    ),
    "a_backslash_in_a_directory_swallows_the_next_line": (("processes", "web", "directory"), "apps\\"),
    "a_specifier_in_a_directory_is_expanded": (("processes", "web", "directory"), "%h"),
    "full_width_digits_mean_no_memory_limit": (("processes", "web", "memory_max"), "\uff15\uff11\uff12M"),
    "a_number_too_large_means_no_memory_limit": (("processes", "web", "memory_max"), "9" * 30 + "G"),
    "a_semicolon_in_the_ready_path_is_a_command_to_haproxy": (
        ("processes", "web", "ready"),
        "/ready;shutdown",
    ),
    "a_stop_signal_adds_a_directive": (("processes", "web", "stop_signal"), "SIGTERM\nUser=root"),
    "a_line_feed_in_a_schedule_adds_a_directive": (
        ("cron", "nightly", "schedule"),
        "daily\nUnit=other.service",
    ),
    "a_carriage_return_in_a_command_adds_a_directive": (
        ("processes", "web", "command"),
        "bun x\rUser=root",
    ),
    "a_noncharacter_in_a_command_voids_its_line": (("processes", "web", "command"), "bun x \ufdd0"),
    "a_directory_leaves_the_build": (("processes", "web", "directory"), "../../etc"),
}


@pytest.mark.parametrize("exploit", EXPLOITS)
def test_the_model_refuses(exploit: str):
    place, text = EXPLOITS[exploit]
    assert accepted(altered(TOML, place, text)) is None


@pytest.mark.parametrize("exploit", EXPLOITS)
def test_the_agent_refuses(exploit: str, world: World):
    place, text = EXPLOITS[exploit]
    content = altered(TOML, place, text)
    manifest = {"processes": content["processes"], "cron": content["cron"]}
    with pytest.raises(AgentError) as refused:
        asked = {"release": 7, "build": "b1", "fence": 1, "manifest": manifest, "ticket": TICKET}
        world.ask(stage.command, **asked, env={"web": {}})
    assert refused.value.code == "bad_request"
    assert not [name for name in Path(world.paths.units).iterdir() if name.name.startswith("slipway-")]


def test_a_value_that_reaches_haproxys_command_line_is_one_word(world: World):
    """The last guard, for a state that was written before these were refused."""
    world.put("blue", "live", 7, active=True, web={"command": "serve", "ready": "/ready;shutdown"})
    with pytest.raises(AgentError, match="ready"):
        haproxy.apply(world.paths, world.state)
    assert not any(command.startswith("shutdown") for command in world.haproxy.received)


@pytest.mark.parametrize("bad", ["\ufdd0", "\ufffe", "\U0001ffff"])
def test_a_noncharacter_voids_no_env_file(bad: str):
    """systemd refuses the whole file for one such value, and the app starts without any variable."""
    with pytest.raises(AgentError) as refused:
        envfile.render({"GOOD": "1", "BAD": f"x{bad}y"})
    assert (refused.value.code, "BAD" in refused.value.message) == ("bad_env", True)
