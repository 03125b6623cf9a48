"""Real locust processes against a server of this test: whatever ends them, there is a whole report."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from slipway.settings import Load
from slipway.traffic.results import ExitCode
from tests.ports import free_port
from tests.waiting import until

LOCUSTFILE = """
import os
from pathlib import Path

import gevent
from locust import FastHttpUser, constant, events, task

from slipway.settings.load import Load
from slipway.traffic.ending import RunSpec, report_at_the_end
from slipway.traffic.locust_plugin import start_together

SECONDS = float(os.environ["ASKED_SECONDS"])


@events.init.add_listener
def _(environment, **_):
    start_together(environment)
    report_at_the_end(
        environment,
        RunSpec(
            stack="local",
            profile="expected",
            folder=Path(os.environ["REPORTS"]),
            load=Load.model_validate_json(os.environ["LOAD"]),
            windows=((0.0, SECONDS),),
        ),
    )
    # gevent's clock stood still during the imports, and locust's --run-time would count them.
    gevent.sleep(0.01)


class Visitor(FastHttpUser):
    wait_time = constant(0.02)

    @task
    def page(self):
        path = f"/{os.getpid()}"
        self.client.get(path, name=path if "BY_PROCESS" in os.environ else "/")
"""


class Site:
    """A server that counts what it answered, by path."""

    def __init__(self) -> None:
        self.answered: Counter[str] = Counter()
        self.delay = 0.0
        site = self

        class Page(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                time.sleep(site.delay)
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")
                site.answered[self.path] += 1

            def log_message(self, format: str, *args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                """Clients that were killed."""

        self.server = Server(("127.0.0.1", 0), Page)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    @property
    def count(self) -> int:
        return sum(self.answered.values())


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    Thread(target=site.server.serve_forever, daemon=True).start()
    yield site
    site.server.shutdown()
    site.server.server_close()


class Locust:
    """Starts locust processes with one locustfile, and ends whatever still runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "visits.py"
        self.file.write_text(textwrap.dedent(LOCUSTFILE))
        self.started: list[subprocess.Popen[str]] = []

    def start(
        self, url: str, *options: str, seconds: float = 60, load: Load | None = None
    ) -> subprocess.Popen[str]:
        env = os.environ | {
            "REPORTS": str(self.folder / "reports"),
            "LOAD": (load or Load()).model_dump_json(),
            "ASKED_SECONDS": str(seconds),
            "GITHUB_STEP_SUMMARY": str(self.folder / "ci.md"),
        }
        command = [
            sys.executable,
            "-m",
            "locust",
            "-f",
            str(self.file),
            "--host",
            url,
            "--only-summary",
            *options,
        ]
        process = subprocess.Popen(
            command,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    @property
    def results(self) -> dict[str, Any]:
        return json.loads((self.folder / "reports" / "results.json").read_text())

    @property
    def page(self) -> str:
        return (self.folder / "reports" / "report.html").read_text()

    def close(self) -> None:
        for process in self.started:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()


@pytest.fixture
def locust(tmp_path: Path) -> Iterator[Locust]:
    locust = Locust(tmp_path)
    yield locust
    locust.close()


def ended(process: subprocess.Popen[str], seconds: float = 40) -> str:
    return process.communicate(timeout=seconds)[0]


def test_a_run_that_ends_in_its_time_passes_and_tells_all_of_it(site: Site, locust: Locust) -> None:
    process = locust.start(site.url, "--headless", "-u", "4", "-r", "100", "-t", "5", seconds=2)
    told = ended(process)
    assert process.returncode == ExitCode.PASSED, told
    results = locust.results
    assert results["ended"] == "finished"
    assert (
        abs(sum(each["count"] for each in results["requests"]) - site.count) <= 4
    )  # one in flight for each user
    assert [(each["kind"], each["name"]) for each in results["requests"]] == [("HTTP", "GET /")]
    assert {path.name for path in (locust.folder / "reports").iterdir()} == {
        "report.html", "results.json", "samples.json", "junit.xml", "summary.md", "history.jsonl",
    }  # fmt: skip
    assert "expected load passed" in (locust.folder / "ci.md").read_text()
    (line,) = (locust.folder / "reports" / "history.jsonl").read_text().splitlines()
    past = json.loads(line)
    assert (past["profile"], past["passed"]) == ("expected", True)
    assert abs(past["started"] - time.time()) < 120


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_run_that_a_signal_ends_reports_what_it_saw_and_is_no_pass(
    site: Site, locust: Locust, how: signal.Signals
) -> None:
    process = locust.start(site.url, "--headless", "-u", "4", "-r", "100")
    until(lambda: site.count > 60)
    process.send_signal(how)
    told = ended(process, 90)
    assert process.returncode == ExitCode.NO_DATA, told
    results = locust.results
    assert results["ended"] == "stopped"
    assert abs(sum(each["count"] for each in results["requests"]) - site.count) <= 4
    assert "Stopped before its time" in locust.page


def test_sigterm_to_the_master_brings_in_what_the_workers_saw_last(site: Site, locust: Locust) -> None:
    port = str(free_port())
    process = locust.start(
        site.url, "--headless", "-u", "6", "-r", "100", "--processes", "2",
        "--master-bind-port", port, "--master-port", port,
    )  # fmt: skip
    until(lambda: len(site.answered) == 2 and min(site.answered.values()) > 250)
    process.terminate()
    told = ended(process)
    assert process.returncode == ExitCode.NO_DATA, told
    results = locust.results
    assert results["lost_workers"] == [], told
    assert results["processes"] == 2, told
    # Workers go on until the master tells them to quit, some requests later: most of a second's worth.
    assert site.count - 120 <= sum(each["count"] for each in results["requests"]) <= site.count


def test_a_lost_worker_is_told_and_takes_a_second_of_its_samples_with_it(
    site: Site, locust: Locust, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BY_PROCESS", "1")
    port = str(free_port())
    master = locust.start(
        site.url, "--headless", "--master", "--expect-workers", "2", "--master-bind-port", port,
        "-u", "6", "-r", "100", "-t", "12", seconds=8,
    )  # fmt: skip
    workers = [locust.start(site.url, "--worker", "--master-port", port) for _ in range(2)]
    # 3 users with 20 ms between their requests: at most 150 a second, which a worker sends every second.
    until(lambda: len(site.answered) == 2 and min(site.answered.values()) > 350)
    workers[0].kill()
    told = ended(master)
    assert master.returncode == ExitCode.GENERATOR, told
    results = locust.results
    (lost,) = results["lost_workers"]
    assert lost.startswith(socket.gethostname())
    assert any("lost" in text for _, text in results["annotations"])
    counts = {each["name"]: each["count"] for each in results["requests"]}
    paths = [f"/{worker.pid}" for worker in workers]
    assert all(counts[f"GET {path}"] <= site.answered[path] for path in paths)
    # A second of the lost one's, and what the other sends until the master tells it to quit.
    assert sum(counts.values()) >= site.count - 2 * 150
    assert "1 lost" in locust.page


def test_a_run_that_never_began_is_reported_as_no_data(site: Site, locust: Locust) -> None:
    port = str(free_port())
    master = locust.start(
        site.url, "--headless", "--master", "--expect-workers", "1", "--master-bind-port", port,
        "--expect-workers-max-wait", "2",
    )  # fmt: skip
    ended(master)
    assert master.returncode != ExitCode.PASSED
    assert locust.results["exit_code"] == ExitCode.NO_DATA
    worked = locust.start(site.url, "--headless", "-u", "1", "-t", "3", "--tags", "none", seconds=1)
    ended(worked)
    assert worked.returncode == ExitCode.NO_DATA
    assert locust.results["thresholds"][0]["verdict"] == "no data"


def test_a_run_that_is_lost_ends_early_and_says_why(site: Site, locust: Locust) -> None:
    site.delay = 0.05
    load = Load(p95_ms=20, abort_on_fail=True)
    process = locust.start(site.url, "--headless", "-u", "4", "-r", "100", "-t", "60", seconds=20, load=load)
    told = ended(process, 90)
    assert process.returncode == ExitCode.MISSED, told
    results = locust.results
    assert results["ended"] == "aborted"
    assert results["seconds"] < 20, "that is how long it was to last"
    assert "took longer than 20 ms" in results["why_ended"]


def test_a_target_that_refuses_everybody_has_an_exit_code_of_its_own(locust: Locust) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    process = locust.start(url, "--headless", "-u", "4", "-r", "100", "-t", "4", seconds=1)
    told = ended(process)
    assert process.returncode == ExitCode.REFUSED, told
    (request,) = locust.results["requests"]
    assert request["failed"] == request["count"] > 0
    assert "refused" in " ".join(request["errors"]).lower()
