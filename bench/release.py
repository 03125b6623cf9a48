"""What a release costs beyond the app's own build, boot and migrate; and a release of an unchanged build.

    uv run python -m bench.release [--stack local] [--times 5] [--project .] [--file PATH] [--json]

Goals: 3 s beyond them, without an observe window; 3 s in all for an unchanged build. Writes a file into the
app, releases it, releases again unchanged, and removes the file; the stack is left on the last release.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from bench.commands import Run, slipway
from bench.record import note, parser, record_spread

GOAL_SECONDS = 3.0
THE_APPS_OWN = ("build", "boot", "migrate", "observe")


def main() -> int:
    wanted = parser(__doc__)
    wanted.add_argument("--stack", default="local")
    wanted.add_argument("--times", type=int, default=5)
    wanted.add_argument("--project", type=Path, default=Path.cwd())
    wanted.add_argument("--file", type=Path, default=Path("examples/board/public/bench.txt"))
    given = wanted.parse_args()
    command = ("release", "--stack", given.stack, "--observe", "0", "--no-checks")
    changing: Path = given.project / given.file

    changed: list[Run] = []
    unchanged: list[Run] = []
    try:
        for _ in range(given.times):
            changing.write_text(f"{time.time_ns()}\n")
            changed.append(slipway(given.project, *command))
            describe("changed", changed[-1])
            unchanged.append(slipway(given.project, *command))
            describe("unchanged", unchanged[-1])
    finally:
        changing.unlink(missing_ok=True)
    how = f"{given.times} runs"
    record_spread("release.change", [run.seconds for run in changed], "s", how)
    record_spread("release.beyond", [beyond(run) for run in changed], "s", how)
    record_spread("release.unchanged", [run.seconds for run in unchanged], "s", how)
    every = changed + unchanged
    switches = [run.switch_seconds for run in every]
    record_spread("release.switch", switches, "s", f"{len(every)} runs; the slower host")
    slow = sum(
        seconds > GOAL_SECONDS for seconds in [*map(beyond, changed), *(run.seconds for run in unchanged)]
    )
    note(f"{len(every) - slow} of {len(every)} within {GOAL_SECONDS:g} s")
    return 1 if slow else 0


def beyond(run: Run) -> float:
    """Seconds of the whole command that are not the app's own."""
    phases: dict[str, float] = run.report["phases"]
    return run.seconds - sum(phases.get(name, 0.0) for name in THE_APPS_OWN)


def describe(kind: str, run: Run) -> None:
    phases = "  ".join(f"{name} {seconds:.2f}" for name, seconds in run.report["phases"].items())
    note(f"{kind:<9} {run.seconds:6.2f} s, beyond {beyond(run):5.2f} s: {phases}")


if __name__ == "__main__":
    sys.exit(main())
