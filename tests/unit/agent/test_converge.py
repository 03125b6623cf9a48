"""A host that follows its boot document by itself."""

import base64
import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from hosts.agent import converge, restore, stage, switch
from hosts.agent.aws import Cloud
from hosts.agent.errors import AgentError
from hosts.agent.host import Host, Paths
from hosts.agent.json_object import JsonObject
from hosts.agent.state import Exclusive, Slot, order_of
from tests.unit.agent.conftest import WEB, World

ARN = "arn:aws:secretsmanager:eu-central-1:1:secret:boot/web"


def signed(document: dict[str, object]) -> str:
    content = json.dumps({"schema": 2, **document})
    return json.dumps({"signer": "ana@desk", "signature": "good", "document": content})


class Secret:
    """What Secrets Manager holds."""

    def __init__(self) -> None:
        self.text: str | None = None

    def be(self, release: int, fence: int, **more: object) -> None:
        self.text = signed({"role": "web", "fence": fence, "stage": {"release": release}, **more})


@pytest.fixture
def secret(world: World, monkeypatch: pytest.MonkeyPatch) -> Secret:
    """The host is on AWS; staging puts the release into the idle slot without any layers."""
    held = Secret()
    content = json.loads(Path(world.paths.host).read_text())
    cloud = {"region": "eu-central-1", "boot_secret": ARN}
    Path(world.paths.host).write_text(json.dumps({**content, "cloud": cloud}))

    def read(_: Cloud, arn: str) -> str | None:
        assert arn == ARN
        return held.text

    def put(paths: Paths, host: Host, request: JsonObject, *, env_is_signed: bool) -> Mapping[str, Any]:
        assert env_is_signed, "the document was, as a whole"
        with Exclusive(paths, "stage", order_of(request)) as state:
            idle = state.idle
            state.slots[idle] = Slot(
                idle, JsonObject({"processes": {"web": WEB}, "site": "app.test"}, "slot")
            )
            state.slots[idle].release = request.whole("release")
            state.slots[idle].become("staged")
            state.save()
        Path(paths.slot(idle)).parent.mkdir(parents=True, exist_ok=True)
        Path(paths.slot(idle)).mkdir(exist_ok=True)
        return {}

    def answers(*_: object) -> tuple[str, float]:
        return "200", 1.0

    monkeypatch.setattr(Cloud, "secret", read)
    monkeypatch.setattr(stage, "command", put)
    monkeypatch.setattr("hosts.agent.ready.probe", answers)
    return held


def test_a_new_host_starts_what_the_document_says(world: World, secret: Secret):
    secret.be(7, fence=3)
    answer = world.ask(converge.command)
    assert (answer["release"], answer["changed"]) == (7, True)
    assert (world.state.live and world.state.live.release, world.state.order) == (7, (3, 0))
    assert world.haproxy.map["active"] == world.state.active


@pytest.mark.parametrize("text", [None, ""])
def test_without_a_document_there_is_nothing_to_do(world: World, secret: Secret, text: str | None):
    secret.text = text
    assert world.ask(converge.command)["changed"] is False
    secret.be(0, fence=9)
    assert world.ask(converge.command)["why"] == "nothing is live yet"
    assert world.state.order == (0, 0)


def test_before_the_first_release_a_host_is_ready_for_it(world: World, secret: Secret):
    for held in (None, 0):
        secret.text = None
        if held == 0:
            secret.be(0, fence=2)
        world.ask(converge.command)
        assert world.haproxy.map["unreleased"] == "yes"
        assert "unreleased yes\n" in Path(world.paths.map).read_text()


def test_as_soon_as_something_was_released_only_the_release_makes_a_host_ready(
    world: World, secret: Secret, monkeypatch: pytest.MonkeyPatch
):
    world.ask(converge.command)
    seen: list[bool] = []
    staged = stage.command

    def look(paths: Paths, host: Host, request: JsonObject, **given: Any) -> Mapping[str, Any]:
        seen.append("unreleased" in world.haproxy.map)
        return staged(paths, host, request, **given)

    monkeypatch.setattr(stage, "command", look)
    secret.be(1, fence=3)
    world.ask(converge.command)
    assert seen == [False]
    assert "unreleased" not in Path(world.paths.map).read_text()


def test_a_host_that_cannot_start_what_was_released_stays_unready(
    world: World, secret: Secret, monkeypatch: pytest.MonkeyPatch
):
    def corrupt(*_: object, **__: object) -> None:
        raise AgentError("corrupt_layer", "")

    world.ask(converge.command)
    monkeypatch.setattr(stage, "command", corrupt)
    secret.be(1, fence=3)
    with pytest.raises(AgentError):
        world.ask(converge.command)
    assert (world.haproxy.map["active"], world.haproxy.map.get("unreleased")) == ("none", None)


def test_after_a_restart_it_is_asked_anew_whether_there_is_a_release(world: World, secret: Secret):
    world.ask(converge.command)
    world.ask(restore.command)
    assert "unreleased" not in world.haproxy.map
    assert "unreleased" not in Path(world.paths.map).read_text()


def test_a_first_release_that_is_taken_back_leaves_the_host_ready_for_another(world: World, secret: Secret):
    world.ask(converge.command)
    world.put("blue", "booted", 1, web=WEB)
    world.ask(switch.command, fence=2, release=1)
    assert "unreleased" not in world.haproxy.map
    world.ask(switch.command, fence=2, release=0)
    assert world.haproxy.map["unreleased"] == "yes"


def test_worker_hosts_answer_nobody_and_are_not_asked(world: World, secret: Secret):
    content = json.loads(Path(world.paths.host).read_text())
    Path(world.paths.host).write_text(json.dumps({**content, "role": "worker"}))
    world.ask(converge.command)
    assert world.haproxy.received == []


def test_a_host_that_is_up_to_date_is_not_touched(world: World, secret: Secret):
    world.put("blue", "live", 7, active=True, web=WEB)
    secret.be(7, fence=99)
    answer = world.ask(converge.command)
    assert (answer["changed"], answer["why"]) == (False, "serves it already")
    assert (world.state.order, world.systemd.calls) == ((0, 0), [])


def test_while_a_newer_command_is_at_work_an_older_document_changes_nothing(world: World, secret: Secret):
    world.put("blue", "live", 6, active=True, web=WEB)
    with Exclusive(world.paths, "switch", (12, 0)):
        pass
    secret.be(7, fence=11)
    answer = world.ask(converge.command)
    assert (answer["changed"], world.state.live and world.state.live.release) == (False, 6)
    assert "fence 11 is older than 12" in answer["why"]


def test_a_host_that_missed_a_release_follows_and_keeps_the_old_one_warm(world: World, secret: Secret):
    world.put("blue", "live", 6, active=True, web=WEB)
    secret.be(7, fence=11)
    world.ask(converge.command)
    assert {slot.release: slot.state for slot in world.state.slots.values()} == {6: "warm", 7: "live"}


def test_a_release_that_is_warm_is_switched_to_without_staging(
    world: World, secret: Secret, monkeypatch: pytest.MonkeyPatch
):
    world.put("blue", "live", 7, active=True, web=WEB)
    world.put("green", "warm", 6, web=WEB)
    monkeypatch.setattr(stage, "command", None)
    secret.be(6, fence=11)
    assert world.ask(converge.command)["changed"] is True
    assert world.state.active == "green"


def test_a_command_that_comes_in_between_has_the_last_word(
    world: World, secret: Secret, monkeypatch: pytest.MonkeyPatch
):
    def overtaken(paths: Paths, host: Host, request: JsonObject, **_: object) -> None:
        with Exclusive(paths, "stage", (50, 0)):
            pass

    monkeypatch.setattr(stage, "command", overtaken)
    secret.be(7, fence=11)
    answer = world.ask(converge.command)
    assert answer["changed"] is False
    assert "older than 50" in answer["why"]


def test_a_packed_document_is_read(world: World, secret: Secret):
    secret.be(7, fence=3, padding="x" * 70_000)
    secret.text = "zlib:" + base64.b64encode(zlib.compress((secret.text or "").encode())).decode()
    assert world.ask(converge.command)["release"] == 7


@pytest.mark.parametrize(
    ("change", "says"),
    [({"role": "worker"}, "for role worker"), ({"schema": 3}, "schema 3"), ({"fence": "x"}, "fence")],
)
def test_a_document_that_is_not_for_this_host_is_refused(
    world: World, secret: Secret, change: dict[str, Any], says: str
):
    secret.be(7, **{"fence": 3, **change})
    with pytest.raises(AgentError, match=says):
        world.ask(converge.command)
    assert world.state.active is None


def test_elsewhere_there_is_no_document(world: World):
    with pytest.raises(AgentError, match="only hosts on AWS"):
        world.ask(converge.command)
