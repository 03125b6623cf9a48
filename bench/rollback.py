"""How long `slipway rollback` takes with a warm slot: back and forth between two good releases.

    uv run python -m bench.rollback [--stack local] [--times 20] [--project .] [--json]

Goal: the whole command within 1 s. Needs two good releases in warm slots: release a change first.
"""

from __future__ import annotations

import sys
from pathlib import Path

from bench.commands import Run, slipway
from bench.record import note, parser, record_spread

GOAL_SECONDS = 1.0


def main() -> int:
    wanted = parser(__doc__)
    wanted.add_argument("--stack", default="local")
    wanted.add_argument("--times", type=int, default=20)
    wanted.add_argument("--project", type=Path, default=Path.cwd())
    given = wanted.parse_args()

    runs: list[Run] = []
    returning_to: list[str] = []
    for number in range(given.times):
        run = slipway(given.project, "rollback", "--stack", given.stack, *returning_to)
        if not run.report["warm"]:
            sys.exit(f"run {number + 1}: the slot was cold; release once more, so that both slots are warm")
        runs.append(run)
        note(
            f"{number + 1:>3}  {run.report['from']} -> {run.report['release']}  "
            f"whole command {run.seconds:.3f} s  switch {run.switch_seconds * 1000:.1f} ms"
        )
        returning_to = ["--to", str(run.report["from"])]
    how = f"{len(runs)} runs"
    record_spread("rollback", [run.seconds for run in runs], "s", how)
    record_spread(
        "rollback.own", [run.report["seconds"] for run in runs], "s", f"{how}; by slipway's own clock"
    )
    record_spread("rollback.switch", [run.switch_seconds for run in runs], "s", f"{how}; the slower host")
    slow = sum(run.seconds > GOAL_SECONDS for run in runs)
    note(f"{len(runs) - slow} of {len(runs)} within {GOAL_SECONDS:g} s")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
