"""A host that its Auto Scaling group terminates drains first, and then completes the lifecycle hook."""

import json
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs

import pytest

from hosts.agent import boot, converge, leave, retire
from hosts.agent.aws import Cloud
from hosts.agent.errors import AgentError
from tests.fleet.metadata import Metadata
from tests.unit.agent.conftest import WEB, WORKER, World
from tests.unit.agent.test_cloud import credentials

INSTANCE = "i-0123456789abcdef0"
STATE = "meta-data/autoscaling/target-lifecycle-state"


class AutoScaling(ThreadingHTTPServer):
    """Knows one call; moto does not know it yet. `waits`: is the host's hook active?"""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.waits = True
        self.received: list[dict[str, str]] = []
        self.signed: list[str] = []
        Thread(target=self.serve_forever, daemon=True).start()


class _Answer(BaseHTTPRequestHandler):
    server: AutoScaling  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_POST(self) -> None:
        form = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.received.append({name: values[0] for name, values in parse_qs(form).items()})
        self.server.signed.append(self.headers["Authorization"])
        said = b"" if self.server.waits else b"No active Lifecycle Action found with instance ID"
        self.send_response(200 if self.server.waits else 400)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def group() -> Generator[AutoScaling]:
    server = AutoScaling()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def metadata(world: World, group: AutoScaling, monkeypatch: pytest.MonkeyPatch) -> Generator[Metadata]:
    """Of a host on AWS that serves release 7, with 6 still warm. The pause takes no time."""
    served = Metadata("127.0.0.1", credentials("AKIAHOST"), {"meta-data/instance-id": INSTANCE})
    scaling = f"http://127.0.0.1:{group.server_port}"
    Path(world.paths.endpoints).write_text(
        json.dumps({"endpoints": {"imds": served.url, "autoscaling": scaling}})
    )
    be(world, "web")
    world.put("blue", "live", 7, active=True, web=WEB)
    world.put("green", "warm", 6, web=WEB)
    world.haproxy.map["active"] = "blue"
    monkeypatch.setattr(leave, "DEREGISTER_SECONDS", 0.0)
    yield served
    served.close()


def be(world: World, role: str) -> None:
    content = json.loads(Path(world.paths.host).read_text())
    cloud = {"region": "eu-central-1", "boot_secret": "arn"}
    Path(world.paths.host).write_text(
        json.dumps({**content, "role": role, "fleet": "board-prod", "cloud": cloud})
    )


@pytest.mark.parametrize("state", [None, "InService", "Standby", "Warmed:Stopped"])
def test_a_host_that_stays_does_nothing(
    world: World, metadata: Metadata, group: AutoScaling, state: str | None
):
    if state:
        metadata.texts[STATE] = state
    assert world.ask(leave.command) == {"leaving": False}
    assert (world.systemd.calls, group.received, world.state.leaving) == ([], [], False)


def test_a_leaving_host_drains_both_slots_and_lets_its_group_go_on(
    world: World, metadata: Metadata, group: AutoScaling
):
    metadata.texts[STATE] = "Terminated"
    answer = world.ask(leave.command)
    assert (answer["slots"], answer["completed"]) == (["blue", "green"], True)
    assert world.systemd.running == set()
    assert {slot.state for slot in world.state.slots.values()} == {"empty"}
    assert world.haproxy.map["active"] == "none"
    assert group.received == [
        {
            "Action": "CompleteLifecycleAction",
            "Version": "2011-01-01",
            "AutoScalingGroupName": "board-prod-web",
            "LifecycleHookName": "leaving",
            "InstanceId": INSTANCE,
            "LifecycleActionResult": "CONTINUE",
        }
    ]
    assert "/eu-central-1/autoscaling/aws4_request" in group.signed[0]


def test_new_requests_are_served_until_the_load_balancer_has_turned_away(
    world: World, metadata: Metadata, monkeypatch: pytest.MonkeyPatch
):
    metadata.texts[STATE] = "Terminated"
    seen: list[tuple[float, bool, str]] = []

    def pause(seconds: float) -> None:
        seen.append(
            (seconds, "slipway-web@blue-1.service" in world.systemd.running, world.haproxy.map["active"])
        )

    monkeypatch.setattr(leave, "DEREGISTER_SECONDS", 15.0)
    monkeypatch.setattr(leave.time, "sleep", pause)
    world.ask(leave.command)
    assert seen == [(15.0, True, "blue")]


def test_the_group_hears_of_it_only_when_everything_has_stopped(
    world: World, metadata: Metadata, group: AutoScaling, monkeypatch: pytest.MonkeyPatch
):
    metadata.texts[STATE] = "Terminated"
    waits: list[tuple[str, int]] = []

    def wait(slot: str) -> None:
        waits.append((slot, len(group.received)))

    monkeypatch.setattr(retire, "wait_until_stopped", wait)
    world.ask(leave.command)
    assert waits == [("blue", 0), ("green", 0)]


def test_a_group_that_does_not_wait_yet_is_told_again(world: World, metadata: Metadata, group: AutoScaling):
    metadata.texts[STATE] = "Terminated"
    group.waits = False
    assert world.ask(leave.command)["completed"] is False
    group.waits = True
    again = world.ask(leave.command)
    assert (again["completed"], again["slots"]) == (True, [])


def test_a_worker_finishes_its_jobs_without_a_load_balancer_s_pause(
    world: World, metadata: Metadata, group: AutoScaling, monkeypatch: pytest.MonkeyPatch
):
    be(world, "worker")
    world.put("blue", "live", 7, active=True, jobs=WORKER)
    monkeypatch.setattr(leave.time, "sleep", None)
    metadata.texts[STATE] = "Terminated"
    assert world.ask(leave.command)["completed"] is True
    assert group.received[0]["AutoScalingGroupName"] == "board-prod-worker"
    assert world.systemd.running == set()


def test_nothing_is_started_again_on_a_host_that_leaves(
    world: World, metadata: Metadata, monkeypatch: pytest.MonkeyPatch
):
    metadata.texts[STATE] = "Terminated"
    world.ask(leave.command)
    content = json.dumps(
        {"schema": 2, "stack": "board-prod", "role": "web", "fence": 9, "stage": {"release": 8}}
    )
    document = {"signer": "ana@desk", "signature": "good", "document": content}

    def secret(*_: object) -> str:
        return json.dumps(document)

    monkeypatch.setattr(Cloud, "secret", secret)
    assert world.ask(converge.command)["why"] == "this host is leaving"
    with pytest.raises(AgentError) as refused:
        world.ask(boot.command, fence=9, release=8)
    assert refused.value.code == "leaving"
    assert world.systemd.running == set()


def test_a_drain_that_was_cut_off_is_finished_by_the_next_run(
    world: World, metadata: Metadata, monkeypatch: pytest.MonkeyPatch
):
    def killed(_: str) -> None:
        raise KeyboardInterrupt

    metadata.texts[STATE] = "Terminated"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(retire, "wait_until_stopped", killed)
        world.ask(leave.command)
    answer: dict[str, Any] = world.ask(leave.command)
    assert (answer["slots"], answer["completed"]) == (["blue", "green"], True)
    assert world.state.active is None


def test_a_metadata_service_out_of_reach_is_told(world: World, metadata: Metadata):
    metadata.texts = {}
    Path(world.paths.endpoints).write_text(json.dumps({"endpoints": {"imds": "http://127.0.0.1:9"}}))
    with pytest.raises(AgentError, match="refused") as failed:
        world.ask(leave.command)
    assert failed.value.code == "cloud"
