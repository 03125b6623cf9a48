import http.server
import threading
from pathlib import Path

import pytest

from hosts.agent import cron, envfile, status, switch
from hosts.agent.errors import AgentError
from hosts.agent.json_object import JsonObject
from tests.unit.agent.conftest import WEB, World

TICK: dict[str, object] = {
    "schedule": "*:0/5",
    "path": "/cron/tick",
    "secret": "CRON_SECRET",
    "timeout_seconds": 5,
}
REPORT: dict[str, object] = {"schedule": "daily", "command": "bun report.ts", "timeout_seconds": 60}


NONE: set[str] = set()


@pytest.fixture
def host(world: World) -> World:
    world.put("blue", "live", 1, active=True, web=WEB)
    world.put("green", "booted", 2, web=WEB)
    state = world.state
    state.slots["green"].cron = {"tick": TICK, "report": REPORT}
    state.save()
    return world


def installed(world: World) -> set[str]:
    return {path.name for path in Path(world.paths.units).glob("slipway-cron-*.timer")}


@pytest.mark.parametrize(
    ("asked", "timers"),
    [
        ({"cron_owner": True}, {"slipway-cron-tick.timer", "slipway-cron-report.timer"}),
        ({"cron_owner": True, "cron_kinds": ["path"]}, {"slipway-cron-tick.timer"}),
        ({"cron_owner": False}, NONE),
        ({}, NONE),
    ],
)
def test_timers_run_on_the_owner_and_only_the_kinds_it_owns(
    host: World, asked: dict[str, object], timers: set[str]
):
    host.ask(switch.command, fence=1, release=2, **asked)
    assert installed(host) == timers


def test_a_switch_that_changes_no_schedule_touches_no_timer(host: World):
    host.ask(switch.command, fence=1, release=2, cron_owner=True)
    host.systemd.calls.clear()
    assert not cron.sync(host.paths, host.state)
    assert host.systemd.calls == []


def test_ownership_may_move_without_a_switch_and_is_remembered(host: World):
    host.ask(switch.command, fence=1, release=2, cron_owner=True)
    host.ask(switch.command, fence=1, release=2, cron_owner=False)
    assert installed(host) == set()
    host.ask(switch.command, fence=1, release=2)
    assert (installed(host), host.state.cron_kinds) == (set(), [])


def test_timers_go_when_the_live_release_has_none(host: World):
    host.ask(switch.command, fence=1, release=2, cron_owner=True)
    host.ask(switch.command, fence=1, release=1, cron_owner=True)
    assert installed(host) == set()
    assert any(call[0] == "stop" and "slipway-cron-tick.timer" in call for call in host.systemd.calls)


def test_no_unit_file_holds_a_secret_and_none_is_in_a_command_line(host: World):
    slot = host.state.slots["green"]
    envfile.write_slot(
        host.paths, host.host, slot, JsonObject({"cron": {"CRON_SECRET": "very-secret-value"}}, "env")
    )
    host.ask(switch.command, fence=1, release=2, cron_owner=True)
    for path in Path(host.paths.units).iterdir():
        assert "very-secret-value" not in path.read_text()


def test_a_path_entry_posts_to_the_live_release_with_its_bearer(host: World):
    got: list[tuple[str, str, str | None]] = []

    class App(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append((self.path, self.headers["Host"], self.headers["Authorization"]))
            self.send_response(204 if len(got) == 1 else 500)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), App)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    host.paths.live_port = server.server_port
    slot = host.state.slots["green"]
    slot.site = "app.test"
    envfile.write_slot(host.paths, host.host, slot, JsonObject({"web": {"CRON_SECRET": "s3cret"}}, "env"))
    state = host.state
    state.slots["green"].site = "app.test"
    state.save()
    host.ask(switch.command, fence=1, release=2, cron_owner=True)
    assert host.ask(cron.command, name="tick")["status"] == 204
    assert "failure" not in host.ask(status.status)["cron"]["tick"]
    assert got == [("/cron/tick", "app.test", "Bearer s3cret")]
    with pytest.raises(AgentError, match="POST /cron/tick answered 500"):
        host.ask(cron.command, name="tick")
    failed = host.ask(status.status)["cron"]["tick"]
    assert failed["release"] == 2
    assert failed["failure"] == "POST /cron/tick answered 500"
    assert failed["begun"] <= failed["ended"]
    server.shutdown()


def test_status_says_of_an_entry_that_it_has_not_run_yet_and_only_where_it_runs(host: World):
    host.ask(switch.command, fence=1, release=2, cron_owner=True, cron_kinds=["path"])
    assert host.ask(status.status)["cron"] == {"tick": None}
    host.ask(switch.command, fence=1, release=2, cron_owner=False)
    assert host.ask(status.status)["cron"] == {}


def test_an_app_that_wants_another_header_gets_the_secret_alone_in_it(host: World):
    got: list[tuple[str | None, str | None]] = []

    class App(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append((self.headers["X-Cron-Secret"], self.headers["Authorization"]))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), App)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    host.paths.live_port = server.server_port
    state = host.state
    envfile.write_slot(
        host.paths, host.host, state.slots["green"], JsonObject({"web": {"CRON_SECRET": "s3cret"}}, "env")
    )
    state.slots["green"].cron["tick"] = {**TICK, "header": "X-Cron-Secret"}
    state.save()
    host.ask(switch.command, fence=1, release=2, cron_owner=True)
    host.ask(cron.command, name="tick")
    assert got == [("s3cret", None)]
    server.shutdown()


def test_an_entry_that_the_live_release_does_not_have_is_skipped(host: World):
    assert "skipped" in host.ask(cron.command, name="tick")
