"""Plays profiles with a few users at a site, in a process of its own: locust patches the standard library.

Each line of standard input asks for one, as JSON; what came of it is a line of standard output.
"""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict
from typing import Any

import gevent
from locust.env import Environment
from locust.user import User

from loadtests.api import Api
from loadtests.browser import Browser
from loadtests.sockets import Author, SlowReader, Watcher
from slipway.traffic.locust_plugin import attach
from slipway.traffic.target import Target
from slipway.traffic.users import HttpUser


class Few(HttpUser):
    """As few users as can be, whatever the rate: what a slow server makes wait must show."""

    visit_seconds = 0.0

    def visit(self) -> None:
        self.get("/")


class Followed(HttpUser):
    def visit(self) -> None:
        self.get("/moved")


class Away(HttpUser):
    def visit(self) -> None:
        self.client.get("https://elsewhere.example/")


USERS: dict[str, type[User]] = {
    kind.__name__: kind for kind in (Api, Author, Away, Browser, Few, Followed, SlowReader, Watcher)
}


def play(users: list[str], profile: str, target: Target) -> dict[str, Any]:
    environment = Environment(user_classes=[USERS[name] for name in users])
    timed: dict[str, list[float]] = defaultdict(list)
    due: dict[str, list[float]] = defaultdict(list)
    errors: dict[str, list[str]] = defaultdict(list)
    failed: list[str] = []

    def request(
        request_type: str, name: str, response_time: float, exception: object = None, **_: object
    ) -> None:
        timed[f"{request_type} {name}"].append(response_time)
        # Times count from when a thing was due, so this says when that was, however late it was done.
        due[f"{request_type} {name}"].append(time.perf_counter() - response_time / 1000)
        if exception is not None:
            errors[f"{request_type} {name}"].append(str(exception))

    events: Any = environment.events
    events.request.add_listener(request)

    def user_error(exception: BaseException, **_: object) -> None:
        failed.append(repr(exception))

    events.user_error.add_listener(user_error)
    run = attach(environment, target, profile)
    runner: Any = environment.create_local_runner()
    environment.shape_class.runner = runner  # pyright: ignore[reportOptionalMemberAccess]
    runner.start_shape()
    most = 0
    until = time.monotonic() + run.profile.seconds + run.lead + 15
    while time.monotonic() < until and not (runner.state == "stopped" and not runner.user_count):
        most = max(most, run.sockets_open)
        gevent.sleep(0.02)
    runner.quit()
    slots = run.samples.slots.values()
    return {
        "timed": {name: sorted(ms) for name, ms in timed.items()},
        "due": {name: sorted(moments) for name, moments in due.items()},
        "errors": errors,
        "failed": failed,
        "dropped": sum(slot.dropped for slot in slots),
        "arrived": sum(slot.arrivals.count for slot in slots),
        "sockets": most,
        "open_at_the_end": run.sockets_open,
    }


if __name__ == "__main__":
    while line := sys.stdin.readline():
        asked = json.loads(line)
        played = play(asked["users"], asked["profile"], Target.model_validate(asked["target"]))
        sys.stdout.write(json.dumps(played) + "\n")
        sys.stdout.flush()
