"""How long `slipway rollback` takes with a warm slot: back and forth between two good releases.

    uv run python bench/rollback.py [--stack local] [--times 20] [--project .]

Goal: the whole command within 1000 ms.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from commands import Run, slipway, spread

GOAL_MS = 1000.0


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--stack", default="local")
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--project", type=Path, default=Path.cwd())
    asked = parser.parse_args()

    runs: list[Run] = []
    returning_to: list[str] = []
    for number in range(asked.times):
        run = slipway(asked.project, "rollback", "--stack", asked.stack, *returning_to)
        if not run.report["warm"]:
            sys.exit(f"run {number + 1}: the slot was cold; release once more, so that both slots are warm")
        runs.append(run)
        print(
            f"{number + 1:>3}  {run.report['from']} -> {run.report['release']}  "
            f"whole command {run.ms:7.1f} ms  switch {run.switch_ms:6.1f} ms",
            flush=True,
        )
        returning_to = ["--to", str(run.report["from"])]
    print(spread("rollback, whole command", [run.ms for run in runs]))
    print(spread("rollback, slipway's own account", [run.report["seconds"] * 1000 for run in runs]))
    print(spread("switch, slowest host", [run.switch_ms for run in runs]))
    slow = sum(run.ms > GOAL_MS for run in runs)
    print(f"{len(runs) - slow} of {len(runs)} within {GOAL_MS:.0f} ms")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
