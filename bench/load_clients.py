"""One load generator process: ours, locust's own, or a bare loop; prints what it managed as JSON.

python -m bench.load_clients CLIENT PORT SECONDS USERS RATE
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
import gevent
import locust  # patches the standard library for gevent: first of all
import websocket
from locust.contrib.fasthttp import FastHttpUser
from locust.env import Environment

from slipway.settings import App
from slipway.traffic.locust_plugin import attach
from slipway.traffic.samples import ECHO, HTTP
from slipway.traffic.target import Target
from slipway.traffic.users import HttpUser, SocketUser

MESSAGE = '{"type":"PING","meta":{},"payload":{"n":%s}}'


def target(port: int, seconds: float, rate: float, sockets: int) -> Target:
    app: dict[str, Any] = {
        "name": "bench",
        "runtime": {"name": "none"},
        "processes": {"web": {"command": "true"}},
        "websocket": {"echo": MESSAGE % "${n}", "notice": ""},
        "load": {
            "patience_seconds": 10,
            "profiles": {"smoke": {"arrivals": rate, "sockets": sockets, "seconds": seconds}},
        },
    }
    return Target(
        stack="bench",
        url=f"http://127.0.0.1:{port}",
        address=("127.0.0.1", port),
        app=App.model_validate(app),
    )


class Times:
    """Every response time that locust records."""

    def __init__(self, environment: Environment) -> None:
        self.ms: list[float] = []
        self.failed = 0
        environment.events.request.add_listener(self.add)

    def add(self, response_time: float, exception: object = None, **_: Any) -> None:
        self.ms.append(response_time)
        self.failed += exception is not None


def ours(kind: type[locust.User], port: int, seconds: float, users: int, rate: float) -> dict[str, float]:
    """One of our users under its own profile."""
    environment = Environment(user_classes=[kind])
    times = Times(environment)
    run = attach(environment, target(port, seconds, rate, users), "smoke")
    runner = environment.create_local_runner()
    assert environment.shape_class
    environment.shape_class.runner = runner
    runner.start_shape()
    gevent.sleep(run.lead)
    before, cpu = time.perf_counter(), time.process_time()
    gevent.sleep(seconds - 0.2)
    spent, cpu = time.perf_counter() - before, time.process_time() - cpu
    done = environment.stats.get(kind.shown, kind.measured).num_requests  # pyright: ignore[reportAttributeAccessIssue]
    wait_for(lambda: runner.state == "stopped" or not runner.user_count)
    runner.quit()
    return result(times, done, spent, cpu)


class OurHttp(HttpUser):
    measured, shown = HTTP, "GET /"

    def visit(self) -> None:
        self.get("/")


class OurSocket(SocketUser):
    measured, shown = ECHO, "/ws"

    def visit(self) -> None:
        with self.connect() as socket:
            while True:
                socket.ask()


class Plain(FastHttpUser):
    @locust.task
    def ask(self) -> None:
        self.client.get("/")


def plain(port: int, seconds: float, users: int, rate: float) -> dict[str, float]:
    """Locust's own FastHttpUser as its manual has it; `rate` in all, as a closed model has it; 0: no wait."""
    Plain.host = f"http://127.0.0.1:{port}"
    Plain.wait_time = locust.constant_throughput(rate / users) if rate else locust.constant(0)  # pyright: ignore[reportAttributeAccessIssue]
    environment = Environment(user_classes=[Plain])
    times = Times(environment)
    runner = environment.create_local_runner()
    runner.start(users, spawn_rate=users)
    gevent.sleep(0.5)
    first = environment.stats.total.num_requests
    before, cpu = time.perf_counter(), time.process_time()
    gevent.sleep(seconds)
    spent, cpu = time.perf_counter() - before, time.process_time() - cpu
    done = environment.stats.total.num_requests - first
    runner.quit()
    return result(times, done, spent, cpu)


def bare(port: int, seconds: float, sockets: int, rate: float) -> dict[str, float]:
    """A loop of websocket-client's send and recv, with nothing counted but how often."""
    del rate
    done = 0

    def loop() -> None:
        nonlocal done
        client = websocket.create_connection(f"ws://127.0.0.1:{port}/ws")
        number = 1_000_000_000
        while True:
            number += 1
            client.send(MESSAGE % number)
            client.recv()
            done += 1

    greenlets = [gevent.spawn(loop) for _ in range(sockets)]
    gevent.sleep(0.5)
    first, before, cpu = done, time.perf_counter(), time.process_time()
    gevent.sleep(seconds)
    spent, cpu, done = time.perf_counter() - before, time.process_time() - cpu, done - first
    gevent.killall(greenlets)
    return {"rate": done / spent, "cpu_us": cpu / done * 1e6, "core": cpu / spent}


def result(times: Times, done: int, spent: float, cpu: float) -> dict[str, float]:
    ordered = sorted(times.ms) or [0.0]
    return {
        "rate": done / spent,
        "cpu_us": cpu / max(done, 1) * 1e6,
        "core": cpu / spent,
        "p95_ms": ordered[int(len(ordered) * 0.95)],
        "samples": len(times.ms),
        "failed": times.failed,
    }


def wait_for(done: Callable[[], bool], seconds: float = 20) -> None:
    until = time.monotonic() + seconds
    while not done() and time.monotonic() < until:
        gevent.sleep(0.05)


def main(client: str, port: int, seconds: float, users: int, rate: float) -> dict[str, float]:
    match client:
        case "ours-http":
            OurHttp.visit_seconds = users / rate
            return ours(OurHttp, port, seconds, 0, rate)
        case "plain-http":
            return plain(port, seconds, users, rate)
        case "ours-ws":
            return ours(OurSocket, port, seconds, users, 0)
        case _:
            return bare(port, seconds, users, rate)


if __name__ == "__main__":
    name, port, seconds, users, rate = sys.argv[1:]
    print(json.dumps(main(name, int(port), float(seconds), int(users), float(rate))))
