"""Each worker sends its part of the load: the master tells it which, before the test starts."""

from __future__ import annotations

from typing import Any, cast

from locust.env import Environment
from locust.runners import MasterRunner, Runner, WorkerRunner

from slipway.load.run import LoadRun
from slipway.load.schedule import Part

__all__ = ["processes_of", "share_out"]

MESSAGE = "slipway-part"


def share_out(environment: Environment, run: LoadRun) -> None:
    """Call it once, on locust's event `init`; a process that is alone sends all."""
    runner, events = environment.runner, cast("Any", environment.events)
    if isinstance(runner, WorkerRunner):

        def told(msg: Any, **_: object) -> None:
            run.part = Part(msg.data["index"], msg.data["of"])
            run.staff(run.part.of)

        cast("Any", runner).register_message(MESSAGE, told)
    elif isinstance(runner, MasterRunner):

        def tell(**_: object) -> None:
            # Messages to one worker keep their order, and the one that starts the test comes after this.
            present = _workers(runner)
            for index, worker in enumerate(present):
                runner.send_message(MESSAGE, {"index": index, "of": len(present)}, worker)

        events.test_start.add_listener(tell)


def processes_of(runner: Runner | None) -> int:
    """How many processes would send the load, if it began now."""
    return max(len(_workers(runner)), 1) if isinstance(runner, MasterRunner) else 1


def _workers(master: MasterRunner) -> list[str]:
    """Those among whom locust deals the users."""
    clients = master.clients
    return sorted(each.id for each in clients.ready + clients.spawning + clients.running)
