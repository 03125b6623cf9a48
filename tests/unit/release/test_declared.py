"""A rollback to a cold build stages and smoke-tests it by that build's own slipway.toml."""

import json
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

from hosts.agent.signature import env_digest
from slipway.build.manifest import Declared
from slipway.fleet.agent import Order
from slipway.release.rollout import Shipment
from slipway.release.smoke import Smoke
from slipway.release.stage import stage_on
from slipway.settings import App
from tests.unit.build.test_manifest import make
from tests.unit.release.conftest import release

TODAY = App.model_validate(
    {
        "name": "board",
        "runtime": {"name": "none"},
        "processes": {"web": {"command": "new"}},
        "env": {"NEW_NAME": {"value": "x"}},
        "smoke": {"steps": [{"name": "new", "request": "GET /new"}]},
        "websocket": {"path": "/new"},
        "observe": {"probe": "/new", "p95_ms": 700},
    }
)
OLD = Declared.model_validate(
    {
        "env": {"OLD_NAME": {"secret": True}},
        "smoke": {"steps": [{"name": "old", "request": "GET /old"}], "timeout_seconds": 3},
        "probe": "/old",
    }
)


class World:
    """One host, and a stack whose env is the names that the contract has."""

    def __init__(self) -> None:
        self.asked: dict[str, dict[str, Any]] = {}
        self.signed: list[bytes] = []
        host: Any = SimpleNamespace(name="web1", facts=SimpleNamespace(roles=("web",)), agent=self)
        self.host = host
        self.rollout: Any = SimpleNamespace(
            app=TODAY,
            order=Order(9, 1),
            site="x",
            stack=SimpleNamespace(env=self.env, signing=self, stack=SimpleNamespace(fleet_id="board-prod")),
            signed_envs={},
            signing_env=threading.Lock(),
            hosts=SimpleNamespace(web=[host], each=self.each),
        )

    def each(self, hosts: list[Any], work: Callable[[Any], object], doing: str) -> None:
        for host in hosts:
            work(host)

    def env(self, _: str, app: App) -> dict[str, str]:
        return dict.fromkeys(app.env, "value")

    def sign(self, content: bytes, namespace: str) -> tuple[str, str]:
        self.signed.append(content)
        return "ana@desk", namespace

    def smoke(self, **request: Any) -> None:
        self.asked["smoke"] = request

    def stage(self, **request: Any) -> None:
        self.asked["stage"] = request


def shipment(declared: Declared | None) -> Shipment:
    return Shipment(release(3), lambda: cast("Any", make(declared=declared)))


def test_smoke_steps_and_their_env_are_the_builds_own():
    world = World()
    Smoke(shipment(OLD)).run(world.rollout)
    asked = world.asked["smoke"]
    assert [step["name"] for step in asked["steps"]] == ["old"]
    assert asked["values"] == {"OLD_NAME": "value"}
    assert (asked["websocket"], asked["timeout"]) == (None, 3)


def test_a_host_gets_the_env_that_the_build_declares():
    world = World()
    stage_on(world.rollout, shipment(OLD), world.host)
    asked = world.asked["stage"]
    assert asked["env"]["web"] == {"OLD_NAME": "value"}
    assert asked["secret_names"] == ["OLD_NAME"]
    assert asked["manifest"]["id"] == asked["build"], "whole, so that the host can compare it with the id"


def test_the_env_is_signed_once_for_all_hosts_and_a_host_cannot_guess_at_what_it_does_not_hold():
    world = World()
    for roles in (("web",), ("worker",)):
        host: Any = SimpleNamespace(name=roles[0], facts=SimpleNamespace(roles=roles), agent=world)
        stage_on(world.rollout, shipment(OLD), host, "migrate")
    stage_on(world.rollout, shipment(OLD), world.host)
    assert len(world.signed) == 1
    asked = world.asked["stage"]
    ticket = asked["env_ticket"]
    assert set(ticket["digests"]) == {"web", "task", "cron", "migrate"}
    assert set(ticket["salts"]) == set(asked["env"]) == {"web", "task", "cron"}
    assert len(set(ticket["salts"].values())) == 3
    for scope, values in asked["env"].items():
        assert ticket["digests"][scope] == env_digest(scope, ticket["salts"][scope], values)
    stated = json.loads(world.signed[0])
    assert (stated["stack"], stated["release"], stated["fence"]) == ("board-prod", 3, 9)
    assert (stated["env"], stated["secret_names"]) == (ticket["digests"], asked["secret_names"])


def test_limits_stay_todays_and_the_probe_is_the_builds():
    app = shipment(OLD).app(TODAY)
    assert (app.observe.probe, app.observe.p95_ms) == ("/old", 700)
    assert app.processes["web"].command == "bun web.ts"


def test_a_build_that_declares_nothing_runs_by_todays_file():
    assert shipment(None).app(TODAY) is TODAY
