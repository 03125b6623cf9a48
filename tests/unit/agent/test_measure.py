"""What only the app knows reaches CloudWatch: against moto's CloudWatch, a metadata service, and an app."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, cast

import boto3
import pytest
from moto.server import ThreadedMotoServer

from hosts.agent import measure, state
from hosts.agent.errors import AgentError
from hosts.agent.host import Host
from tests.unit.agent.conftest import WEB, World

ARN = "arn:aws:secretsmanager:eu-central-1:210987654321:secret:slipway/board/prod/boot/web-AbCdEf"
REGION = "eu-central-1"
METRICS = """# TYPE board_queue_jobs gauge
board_queue_jobs{state="waiting"} 12
board_queue_jobs{state="active"} 3
board_queue_jobs{state="failed"} 2
board_uptime_seconds 9.5
"""
CREDENTIALS = {
    "AccessKeyId": "ASIATEST", "SecretAccessKey": "secret", "Token": "token",
    "Expiration": "2099-01-01T00:00:00Z",
}  # fmt: skip


class Machine(HTTPServer):
    """The app's loopback port and the instance metadata service, in one."""

    metrics = METRICS
    status = 200


class Answers(BaseHTTPRequestHandler):
    server: Machine  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_PUT(self) -> None:
        self._say(200, "metadata-token")

    def do_GET(self) -> None:
        if self.path == "/metrics":
            self._say(self.server.status, self.server.metrics)
        else:
            role = self.path.rpartition("/")[2]
            self._say(200, json.dumps(CREDENTIALS) if role else "board-prod-web")

    def _say(self, status: int, text: str) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def cloudwatch() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    yield f"http://127.0.0.1:{port}"
    server.stop()


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    server = Machine(("127.0.0.1", 0), Answers)
    monkeypatch.setitem(state.FIRST_PORT, "blue", server.server_port - 1)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def host(world: World, machine: Machine, cloudwatch: str) -> World:
    """A web host on AWS whose blue slot is live."""
    content = json.loads(Path(world.paths.host).read_text())
    content["cloud"] = {"region": REGION, "boot_secret": ARN}
    Path(world.paths.host).write_text(json.dumps(content))
    endpoints = {"monitoring": cloudwatch, "imds": f"http://127.0.0.1:{machine.server_port}"}
    Path(world.paths.endpoints).write_text(json.dumps({"endpoints": endpoints}))
    world.put("blue", "live", 1, active=True, web=WEB)
    return world


def test_waiting_and_failed_jobs_are_told_in_the_fleet_s_namespace(host: World, cloudwatch: str):
    answer = host.ask(measure.command)
    told_ = {name: value for name, value in answer["told"].items() if name not in measure.OWN}
    assert told_ == {"QueueWaiting": 12, "QueueFailed": 2}
    assert all(0 < answer["told"][name] < 100 for name in measure.OWN)
    client = cast("Any", boto3).client(
        "cloudwatch", REGION, endpoint_url=cloudwatch, aws_access_key_id="a", aws_secret_access_key="s"
    )
    told: list[dict[str, Any]] = client.list_metrics(Namespace="slipway/board-prod")["Metrics"]
    assert {metric["MetricName"] for metric in told} == {"QueueWaiting", "QueueFailed", *measure.OWN}
    # The alarms name no dimension: a metric with one would be another metric.
    assert [metric["Dimensions"] for metric in told] == [[]] * 4


def test_an_app_without_a_queue_tells_only_of_its_host(host: World, machine: Machine):
    machine.metrics = "board_uptime_seconds 9.5\n"
    assert set(host.ask(measure.command)["told"]) == set(measure.OWN)


def test_a_host_without_a_live_release_tells_only_of_itself(host: World):
    Path(host.paths.state).unlink()
    answer = host.ask(measure.command)
    assert answer["why"] == "nothing is live yet"
    assert set(answer["told"]) == set(measure.OWN)


def test_a_full_host_is_measured_as_its_processes_see_it(tmp_path: Path):
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:       2000 kB\nMemFree:         100 kB\nMemAvailable:    500 kB\n")
    assert measure.own_values(str(tmp_path), str(meminfo))["MemoryUsedPercent"] == 75.0


def test_metrics_that_do_not_answer_are_an_error(host: World, machine: Machine):
    machine.status = 500
    with pytest.raises(AgentError, match="answers 500"):
        host.ask(measure.command)


def test_the_fleet_is_read_from_the_boot_document_s_name(world: World):
    assert measure.fleet(ARN) == "board-prod"
    with pytest.raises(AgentError, match="not the ARN"):
        measure.fleet(Host(world.paths).boot_secret)
