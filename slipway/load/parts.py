"""Each worker sends its part of the load: the master tells it which, before the test starts."""

from __future__ import annotations

from typing import Any, cast

from locust.env import Environment
from locust.runners import STATE_MISSING, MasterRunner, WorkerRunner

from slipway.load.run import LoadRun
from slipway.load.schedule import Part

__all__ = ["share_out"]

MESSAGE = "slipway-part"


def share_out(environment: Environment, run: LoadRun) -> None:
    """Call it once, on locust's event `init`; a process that is alone sends all."""
    runner, events = environment.runner, cast("Any", environment.events)
    if isinstance(runner, WorkerRunner):

        def told(msg: Any, **_: object) -> None:
            run.part = Part(msg.data["index"], msg.data["of"])

        cast("Any", runner).register_message(MESSAGE, told)
    elif isinstance(runner, MasterRunner):

        def tell(**_: object) -> None:
            # Messages to one worker keep their order, and the one that starts the test comes after this.
            present = [each.id for each in runner.clients.all if each.state != STATE_MISSING]
            for index, worker in enumerate(sorted(present)):
                runner.send_message(MESSAGE, {"index": index, "of": len(present)}, worker)

        events.test_start.add_listener(tell)
