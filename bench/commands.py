"""Runs commands as a user does and measures the whole of each by the wall clock.

    uv run python -m bench.commands NAME [--times 1] [--json] -- COMMAND…

records how long COMMAND takes as the figure NAME (with `--times` as NAME.median and NAME.worst), and as
NAME.cpu the processor time, which other work on the machine changes less; for example
`python -m bench.commands start.help --times 20 -- slipway --help`.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.record import parser, record, record_spread


@dataclass(frozen=True)
class Run:
    """One command: seconds from its start to its end, and what `--json` printed."""

    seconds: float
    report: dict[str, Any]

    @property
    def switch_seconds(self) -> float:
        """The slowest host's switch."""
        return max(self.report["switched_ms"].values(), default=0.0) / 1000


def slipway(project: Path, *arguments: str) -> Run:
    """Run `slipway <arguments> --json` in `project`; ends this program with its error if it fails."""
    command = [str(Path(sys.executable).with_name("slipway")), *arguments, "--json"]
    seconds, out = timed(command, project)
    return Run(seconds, json.loads(out))


def timed(command: list[str], folder: Path | None = None) -> tuple[float, str]:
    """Seconds that `command` takes, and its standard output; ends this program if it fails."""
    began = time.perf_counter()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - began
    if done.returncode != 0:
        sys.exit(f"`{' '.join(command)}` ended with {done.returncode}:\n{done.stderr or done.stdout}")
    return seconds, done.stdout


def main() -> None:
    wanted = parser(__doc__)
    wanted.add_argument("name", help="the figure's name: start.help")
    wanted.add_argument("--times", type=int, default=1)
    wanted.add_argument("command", nargs="+", help="the command to run, after --")
    given = wanted.parse_args()
    said = f"`{' '.join(given.command)}`"
    seconds: list[float] = []
    spent: list[float] = []
    for _ in range(given.times):
        before = _cpu_of_children()
        seconds.append(timed(given.command)[0])
        spent.append(_cpu_of_children() - before)
    if given.times == 1:
        record(given.name, seconds[0], "s", said)
    else:
        record_spread(given.name, seconds, "s", f"{said}, {given.times} runs")
    busy = f"load average {os.getloadavg()[0]:.0f}"
    record(f"{given.name}.cpu", statistics.median(spent), "s", f"median of {given.times} runs, {busy}")


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
