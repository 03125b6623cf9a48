"""What `status` says of cron entries and of processes that had to be killed."""

import time
from types import SimpleNamespace
from typing import Any

from slipway.build.runtime import architecture
from slipway.fleet.replies import Status
from slipway.release.preflight import processors
from slipway.release.status import Seen


def seen(**status: Any) -> Seen:
    host = Status.model_validate({"host": "web1", "role": "web", **status})
    return Seen("local", "https://app.test", None, None, None, {"web1": host})


def test_the_last_run_of_each_cron_entry_is_said() -> None:
    now = time.time()
    notes = seen(
        cron={
            "tick": {"release": 2, "begun": now - 130, "ended": now - 129.5},
            "mail": {
                "release": 2,
                "begun": now - 9000,
                "ended": now - 8999,
                "failure": "POST /mail answered 500",
            },
            "slow": {"release": 2, "begun": now - 30},
            "report": None,
        }
    ).notes
    assert notes == [
        "web1: cron tick: ran 2 min ago, in 0.5 s",
        "web1: cron mail: failed 2 h ago: POST /mail answered 500",
        "web1: cron slow: began 30 s ago, and has not ended",
        "web1: cron report: has not run yet",
    ]


def test_a_process_that_ignored_its_stop_signal_is_said_with_what_to_change() -> None:
    killed = {"worker": {"release": 7, "signal": "SIGINT", "seconds": 25, "at": 1.0}}
    (note,) = seen(killed=killed).notes
    assert note.startswith("web1: worker of release 7 did not end within 25 s of SIGINT, and was killed")
    assert "drain_seconds of processes.worker" in note


def test_hosts_of_another_processor_are_refused_before_anything_is_uploaded() -> None:
    other = {"x64": "arm64", "arm64": "x64"}[architecture()]

    def problems(arch: str) -> list[str]:
        rollout: Any = SimpleNamespace(statuses={"web1": Status(arch=arch)})
        return [problem.text for problem in processors(rollout)]

    assert problems(architecture()) == problems("") == []
    assert problems(other) == [
        f"web1 has a processor of {other}, and builds of this machine are for {architecture()}"
    ]
