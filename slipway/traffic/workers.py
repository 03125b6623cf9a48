"""The processes of a run: which users each has, which part of the load it sends, and when all start."""

import logging
import time
from collections.abc import Iterator
from math import isinf
from typing import Any, cast

from locust import LoadTestShape
from locust.dispatch import UsersDispatcher
from locust.env import Environment
from locust.runners import MasterRunner, Runner, WorkerNode, WorkerRunner
from locust.user import User

from slipway.settings import App
from slipway.traffic.http_user import HttpUser
from slipway.traffic.profile import Profile
from slipway.traffic.run import LoadRun
from slipway.traffic.schedule import Part
from slipway.traffic.socket_user import SocketUser
from slipway.traffic.user_mix import UserMix, VisitRate, split_by_weight

__all__ = ["EvenDispatcher", "ProfileShape", "share_out", "user_mix"]

MESSAGE = "slipway-part"
"""Locust message by which the master assigns a worker its part."""


def user_mix(classes: list[type[User]], profile: Profile, app: App) -> UserMix:
    """Those of `classes` that have something to do in `profile` on this app."""
    visitors = [kind for kind in classes if issubclass(kind, HttpUser) and kind.suits(app)]
    own = {kind: kind.own_rate(app) for kind in visitors}
    weights = sum(kind.weight for kind, rate in own.items() if rate is None)
    visits: dict[type[User], VisitRate] = {}
    for kind, rate in own.items():
        share = kind.weight / weights if rate is None else None
        peak = profile.schedule.peak_rate * share if share is not None else rate or 0.0
        if peak > 0:
            visits[kind] = VisitRate(peak, share, kind.visit_seconds)
    with_socket: dict[type[User], float] = {
        kind: kind.weight for kind in classes if issubclass(kind, SocketUser) and kind.suits(app)
    }
    sockets = split_by_weight(with_socket, profile.schedule.peak_sockets)
    others = [kind.__name__ for kind in classes if not issubclass(kind, HttpUser | SocketUser)]
    if others:
        logging.getLogger(__name__).warning("not a user of slipway.traffic, ignored: %s", ", ".join(others))
    return UserMix(visits, {kind: number for kind, number in sockets.items() if number})


def share_out(environment: Environment, run: LoadRun) -> None:
    """Give each worker its part of the load; call it once, on locust's event `init`."""
    runner, events = environment.runner, cast("Any", environment.events)
    if isinstance(runner, WorkerRunner):

        def assigned(msg: Any, **_: object) -> None:
            run.part = Part(msg.data["index"], msg.data["of"])
            run.starts_at = msg.data["starts_at"]
            run.set_processes(run.part.of)

        cast("Any", runner).register_message(MESSAGE, assigned)
    elif isinstance(runner, MasterRunner):

        def assign(**_: object) -> None:
            # Messages to one worker keep their order, so it gets this before the one that starts the test.
            # The start is a time of the wall clock, as the samples are: a worker that is late to read this
            # starts in the middle of the profile, and what was due before is due at once.
            present = _workers(runner)
            starts_at = time.time() - run.at
            for index, worker in enumerate(present):
                part = {"index": index, "of": len(present), "starts_at": starts_at}
                runner.send_message(MESSAGE, part, worker)

        events.test_start.add_listener(assign)


def _processes_of(runner: Runner | None) -> int:
    """How many processes would send the load if it started now."""
    return max(len(_workers(runner)), 1) if isinstance(runner, MasterRunner) else 1


def _workers(master: MasterRunner) -> list[str]:
    """Ids of those among whom locust distributes the users."""
    clients = master.clients
    return sorted(each.id for each in clients.ready + clients.spawning + clients.running)


class EvenDispatcher(UsersDispatcher):
    """Gives each process an equal number of every kind of user, since each has its part of every load.

    Locust's own mixes the kinds before it distributes them: of two kinds, two processes may get one each, and
    the visits of the other kind find no user. A worker that comes later has no part in this test, and the
    visits of one that is lost are not made by others: the report names it.
    """

    def __init__(self, worker_nodes: list[WorkerNode], user_classes: list[type[User]]) -> None:
        super().__init__(worker_nodes, user_classes)
        self._ids = sorted(each.id for each in worker_nodes)
        self._kinds = list(user_classes)
        self._steps: Iterator[dict[str, dict[str, int]]] = iter(())

    def new_dispatch(
        self, target_user_count: int, spawn_rate: float, user_classes: list[type[User]] | None = None
    ) -> None:
        """All users at once, `fixed_count` of each kind; the first processes take what division leaves."""
        del spawn_rate, user_classes
        of = len(self._ids)
        users = {
            worker: {
                kind.__name__: (kind.fixed_count + of - 1 - index) // of if target_user_count else 0
                for kind in self._kinds
            }
            for index, worker in enumerate(self._ids)
        }
        self._steps = iter([users])

    def __next__(self) -> dict[str, dict[str, int]]:
        return next(self._steps)

    def add_worker(self, worker_node: WorkerNode) -> None:
        """Leaves the distribution as it is."""

    def remove_worker(self, worker_node: WorkerNode) -> None:
        """Leaves the distribution as it is."""


class ProfileShape(LoadTestShape):
    """The profile as locust knows it: all users at once, most of whom wait, until the profile is over."""

    abstract = True  # not to be found in locustfiles: the plugin makes the one there is

    def __init__(self, run: LoadRun) -> None:
        super().__init__()
        self._run = run

    def tick(self) -> tuple[int, float] | None:
        """Users, and how many are spawned a second; None ends the run."""
        run = self._run
        if isinf(run.zero):
            run.set_processes(_processes_of(self.runner))
        elif run.at > run.profile.seconds:
            return None
        return run.mix.size, float(run.mix.size)
