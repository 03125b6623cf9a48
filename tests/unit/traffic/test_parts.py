"""Several processes send one load: real locust processes, and a site that sees which of them came."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from slipway.traffic.target import Target
from tests.ports import free_port
from tests.unit.traffic.apps import app
from tests.unit.traffic.site import LittleSite
from tests.waiting import until

LOCUSTFILE = """
import json, os, time
from pathlib import Path

from locust import events
from locust.runners import MasterRunner, WorkerRunner

from slipway.traffic.users import HttpUser
from slipway.traffic import locust_plugin
from slipway.traffic.locust_plugin import attach
from slipway.traffic.recorder import record
from slipway.traffic.target import Target

HERE = Path(__file__).parent


def is_first():
    try:
        (HERE / "first").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def be_late(**_):
    time.sleep(float(os.environ["LATE"]))


def tell(recorder):
    samples = recorder.samples
    slots = samples.slots.values()
    (HERE / "told.json").write_text(json.dumps({
        "due": sum(slot.arrivals.count for slot in slots),
        "dropped": sum(slot.dropped for slot in slots),
        "answered": sum(cell.count for cell in samples.totals().values()),
        "lost": recorder.lost,
    }))


@events.init.add_listener
def _(environment, **_):
    locust_plugin.READY_SECONDS = float(os.environ["READY_SECONDS"])
    if isinstance(environment.runner, WorkerRunner) and is_first():
        time.sleep(float(os.environ["READS"]))
        environment.events.test_start.add_listener(be_late)
    if isinstance(environment.runner, MasterRunner):
        environment.events.test_start.add_listener(lambda **_: (HERE / "starts").touch())
    run = attach(environment, Target.model_validate_json(os.environ["TARGET"]), "smoke")
    recorder = record(environment, run)
    if isinstance(environment.runner, MasterRunner):
        environment.events.test_stop.add_listener(lambda **_: tell(recorder))


class Left(HttpUser):
    def visit(self):
        self.get("/", headers={"X-Who": f"left {os.getpid()}"})


class Right(HttpUser):
    def visit(self):
        self.get("/", headers={"X-Who": f"right {os.getpid()}"})
"""
DUE = 36
"""Visits of the profile: 12 a second for 3 seconds."""


def play(
    site: LittleSite, folder: Path, processes: int, *, joins: bool = False, **how: float
) -> dict[str, Any]:
    """What the master knows at the end; `joins` and `how` as in `run`."""
    done = run(site, folder, processes, joins=joins, **how)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "told.json").read_text())


def run(
    site: LittleSite,
    folder: Path,
    processes: int,
    *,
    late: float = 0,
    reads: float = 0,
    ready_seconds: float = 60,
    joins: bool = False,
) -> subprocess.CompletedProcess[str]:
    """The finished master.

    One of the processes needs `reads` seconds to know its load, and starts `late` seconds after the others;
    if it `joins`, one more process comes once the master waits for these.
    """
    file = folder / "visits.py"
    file.write_text(LOCUSTFILE)
    load = {"profiles": {"smoke": {"arrivals": 12, "sockets": 0, "seconds": 3}}, "patience_seconds": 30}
    url = f"http://127.0.0.1:{site.port}"
    target = Target(stack="test", url=url, address=("127.0.0.1", site.port), app=app(load=load))
    port = str(free_port())
    env = os.environ | {
        "TARGET": target.model_dump_json(),
        "LATE": str(late),
        "READS": str(reads),
        "READY_SECONDS": str(ready_seconds),
    }
    locust = [sys.executable, "-m", "locust", "-f", str(file)]
    master = subprocess.Popen(
        [*locust, "--headless", "--only-summary",
         "--processes", str(processes), "--master-bind-port", port, "--master-port", port],
        env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    joined = None
    try:
        if joins:
            until((folder / "starts").exists)
            quiet = subprocess.DEVNULL
            joined = subprocess.Popen(
                [*locust, "--worker", "--master-port", port], env=env, stdout=quiet, stderr=quiet
            )
        out, err = master.communicate(timeout=90)
        return subprocess.CompletedProcess(locust, master.returncode, out, err)
    finally:
        for process in filter(None, (master, joined)):
            process.kill()
            process.wait()


@pytest.mark.parametrize("processes", [2, 3])
@pytest.mark.parametrize("late", [0, 2, 5])
def test_every_visit_that_is_due_is_sent_or_counted_as_dropped_whenever_a_process_is_ready(
    site: LittleSite, tmp_path: Path, processes: int, late: float
) -> None:
    told = play(site, tmp_path, processes, late=late)
    assert told["lost"] == []
    assert told["due"] == DUE
    assert told["answered"] + told["dropped"] == DUE
    assert len(site.seen) == told["answered"]
    # A process gets an equal part of each kind of visit, and finds a user of its own for it.
    came = Counter(each.headers["X-Who"] for each in site.seen)
    assert all(count <= DUE / 2 / processes for count in came.values())
    # The processes that are on time send visits of both kinds.
    assert {who.split()[0] for who in came} == {"left", "right"}


@pytest.mark.parametrize("reads", [0.2, 3])
def test_the_test_starts_when_every_process_knows_its_load(
    site: LittleSite, tmp_path: Path, reads: float
) -> None:
    """Locust starts it when all are connected, while some may still read what the stack is."""
    told = play(site, tmp_path, 2, reads=reads)
    assert told["lost"] == []
    assert told["dropped"] == 0
    assert told["answered"] == told["due"] == DUE
    came = Counter(each.headers["X-Who"] for each in site.seen)
    assert sorted(who.split()[0] for who in came) == ["left", "left", "right", "right"]


def test_a_process_that_comes_while_the_others_get_ready_has_no_part(
    site: LittleSite, tmp_path: Path
) -> None:
    told = play(site, tmp_path, 2, reads=8, joins=True)
    assert told["answered"] == told["due"] == DUE
    came = Counter(each.headers["X-Who"] for each in site.seen)
    assert sorted(who.split()[0] for who in came) == ["left", "left", "right", "right"]


def test_a_process_that_never_knows_its_load_ends_the_test(site: LittleSite, tmp_path: Path) -> None:
    done = run(site, tmp_path, 2, reads=20, ready_seconds=1)
    assert done.returncode != 0
    assert done.stderr.count("does not know its part of the load after 1 s") == 1
    assert not site.seen
