"""Several processes send one load: real locust processes, and a site that sees which of them came."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from slipway.traffic.target import Aim
from tests.s3 import free_port
from tests.unit.traffic.apps import app
from tests.unit.traffic.site import LittleSite

LOCUSTFILE = """
import os

from locust import events

from slipway.traffic.target import Aim
from slipway.traffic.http_user import HttpUser
from slipway.traffic.locust_plugin import attach
from slipway.traffic.workers import share_out


@events.init.add_listener
def _(environment, **_):
    share_out(environment, attach(environment, Aim.model_validate_json(os.environ["AIM"]), "smoke"))


class Left(HttpUser):
    def visit(self):
        self.get("/", headers={"X-Who": f"left {os.getpid()}"})


class Right(HttpUser):
    def visit(self):
        self.get("/", headers={"X-Who": f"right {os.getpid()}"})
"""


@pytest.mark.parametrize("processes", [2, 3])
def test_every_visit_of_every_kind_finds_a_user_in_its_process(
    site: LittleSite, tmp_path: Path, processes: int
) -> None:
    file = tmp_path / "visits.py"
    file.write_text(LOCUSTFILE)
    size = {"arrivals": 12, "sockets": 0, "seconds": 3}
    url = f"http://127.0.0.1:{site.port}"
    aim = Aim(
        stack="test", url=url, address=("127.0.0.1", site.port), app=app(load={"profiles": {"smoke": size}})
    )
    port = str(free_port())
    done = subprocess.run(
        [sys.executable, "-m", "locust", "-f", str(file), "--headless", "--only-summary",
         "--processes", str(processes), "--master-bind-port", port, "--master-port", port],
        env=os.environ | {"AIM": aim.model_dump_json()},
        capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    came = Counter(each.headers["X-Who"] for each in site.seen)
    kinds = Counter(who.split()[0] for who in came.elements())
    assert kinds == {"left": 18, "right": 18}, done.stderr
    assert len(came) == 2 * processes
    assert max(came.values()) - min(came.values()) <= 1
