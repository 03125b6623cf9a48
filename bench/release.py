"""What a release costs beyond the app's own build, boot and migrate; and a release of an unchanged build.

    uv run python bench/release.py [--stack local] [--times 5] [--project .] [--file PATH]

Goals: 3000 ms beyond them, without an observe window; 3000 ms in all for an unchanged build.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from commands import Run, slipway, spread

GOAL_MS = 3000.0
THE_APPS_OWN = ("build", "boot", "migrate", "observe")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--stack", default="local")
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--project", type=Path, default=Path.cwd())
    parser.add_argument("--file", type=Path, default=Path("examples/board/public/bench.txt"))
    asked = parser.parse_args()
    command = ("release", "--stack", asked.stack, "--observe", "0", "--no-checks")
    changing: Path = asked.project / asked.file

    changed: list[Run] = []
    unchanged: list[Run] = []
    try:
        for _ in range(asked.times):
            changing.write_text(f"{time.time_ns()}\n")
            changed.append(slipway(asked.project, *command))
            show("changed", changed[-1])
            unchanged.append(slipway(asked.project, *command))
            show("unchanged", unchanged[-1])
    finally:
        changing.unlink(missing_ok=True)
    print(spread("release of a change, whole command", [run.ms for run in changed]))
    print(spread("  beyond build, boot and migrate", [beyond(run) for run in changed]))
    print(spread("release of an unchanged build", [run.ms for run in unchanged]))
    print(spread("switch, slowest host", [run.switch_ms for run in changed + unchanged]))
    slow = sum(beyond(run) > GOAL_MS for run in changed) + sum(run.ms > GOAL_MS for run in unchanged)
    print(
        f"{len(changed) + len(unchanged) - slow} of {len(changed) + len(unchanged)} within {GOAL_MS:.0f} ms"
    )
    return 1 if slow else 0


def beyond(run: Run) -> float:
    """Milliseconds of the whole command beyond the app's own build, boot, migrate and observe phases."""
    phases: dict[str, float] = run.report["phases"]
    return run.ms - 1000 * sum(phases.get(name, 0.0) for name in THE_APPS_OWN)


def show(kind: str, run: Run) -> None:
    phases = "  ".join(f"{name} {seconds:.2f}" for name, seconds in run.report["phases"].items())
    print(f"{kind:<9} {run.ms:7.0f} ms, beyond {beyond(run):6.0f} ms: {phases}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
