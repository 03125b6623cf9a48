"""How long `slipway rollback` takes with a warm slot: between two good releases, or as a brake.

    uv run python -m bench.rollback [--stack local] [--times 20] [--project .] [--json]
    uv run python -m bench.rollback --during-release [--times 5] [--file PATH] …

Goals: the whole command within 1 s; within 1.5 s if it stops a release in its observation window. The first
needs two good releases in warm slots: release a change first. The second writes a file into the app, starts a
release of it each time, and removes the file; the stack is left on the release that was live.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from argparse import Namespace
from pathlib import Path

from bench.commands import Run, slipway
from bench.record import note, parser, record_spread

GOAL_SECONDS = 1.0
BRAKE_SECONDS = 1.5
PRE_EMPTED = 3
"""Exit code of a command that does not hold the lease."""


def main() -> int:
    wanted = parser(__doc__)
    wanted.add_argument("--stack", default="local")
    wanted.add_argument("--times", type=int, default=20)
    wanted.add_argument("--project", type=Path, default=Path.cwd())
    wanted.add_argument("--during-release", action="store_true", help="roll back from a release under way")
    wanted.add_argument("--file", type=Path, default=Path("examples/board/public/bench.txt"))
    given = wanted.parse_args()
    return brake(given) if given.during_release else back_and_forth(given)


def back_and_forth(given: Namespace) -> int:
    runs: list[Run] = []
    returning_to: list[str] = []
    for number in range(given.times):
        run = slipway(given.project, "rollback", "--stack", given.stack, *returning_to)
        if not run.report["warm"]:
            sys.exit(f"run {number + 1}: the slot was cold; release once more, so that both slots are warm")
        runs.append(run)
        describe(number, run)
        returning_to = ["--to", str(run.report["from"])]
    slipway(given.project, "resume", "--stack", given.stack)
    how = f"{len(runs)} runs"
    record_spread("rollback", [run.seconds for run in runs], "s", how)
    record_spread(
        "rollback.own", [run.report["seconds"] for run in runs], "s", f"{how}; by slipway's own clock"
    )
    record_spread("rollback.switch", [run.switch_seconds for run in runs], "s", f"{how}; the slower host")
    return verdict(runs, GOAL_SECONDS)


def brake(given: Namespace) -> int:
    """Each time a release is in its observation window: users have it."""
    runs: list[Run] = []
    noticed: list[float] = []
    changing: Path = given.project / given.file
    try:
        for number in range(given.times):
            changing.write_text(f"{time.time_ns()}\n")
            running = release_in_observe(given)
            began = time.perf_counter()
            runs.append(slipway(given.project, "rollback", "--stack", given.stack))
            running.communicate(timeout=60)
            noticed.append(time.perf_counter() - began)
            describe(number, runs[-1])
            if running.returncode != PRE_EMPTED:
                sys.exit(f"the release ended with {running.returncode}, and not because it was pre-empted")
    finally:
        changing.unlink(missing_ok=True)
    slipway(given.project, "resume", "--stack", given.stack)
    how = f"{len(runs)} runs, load average {os.getloadavg()[0]:.0f}"
    record_spread("brake", [run.seconds for run in runs], "s", how)
    record_spread("brake.switch", [run.switch_seconds for run in runs], "s", f"{how}; the slower host")
    record_spread("brake.noticed", noticed, "s", f"{how}; from the rollback's start to the release's end")
    return verdict(runs, BRAKE_SECONDS)


def release_in_observe(given: Namespace) -> subprocess.Popen[str]:
    """A release that has just begun to observe; ends this program if it does not come to that."""
    program = str(Path(sys.executable).with_name("slipway"))
    options = ("--stack", given.stack, "--observe", "300", "--no-checks", "--json")
    running = subprocess.Popen(
        [program, "release", *options],
        cwd=given.project,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    lines: list[str] = []
    while line := running.stderr.readline() if running.stderr else "":
        lines.append(line)
        if line.split("] ", 1)[-1].split()[:1] == ["observe"]:
            return running
    sys.exit("the release did not come to observe:\n" + "".join(lines[-20:]))


def describe(number: int, run: Run) -> None:
    note(
        f"{number + 1:>3}  {run.report['from']} -> {run.report['release']}  "
        f"whole command {run.seconds:.3f} s  switch {run.switch_seconds * 1000:.1f} ms"
    )


def verdict(runs: list[Run], goal: float) -> int:
    slow = sum(run.seconds > goal for run in runs)
    note(f"{len(runs) - slow} of {len(runs)} within {goal:g} s")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
