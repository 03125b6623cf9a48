"""Runs the command line as a user does, and measures the whole of it by the wall clock."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Run:
    """One command: milliseconds from its start to its end, and what `--json` printed."""

    ms: float
    report: dict[str, Any]

    @property
    def switch_ms(self) -> float:
        """The slowest host's switch."""
        return max(self.report["switched_ms"].values(), default=0.0)


def slipway(project: Path, *arguments: str) -> Run:
    """Run `slipway <arguments> --json` in `project`; ends this program with its error if it fails."""
    command = [str(Path(sys.executable).with_name("slipway")), *arguments, "--json"]
    began = time.perf_counter()
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    ms = (time.perf_counter() - began) * 1000
    if done.returncode != 0:
        sys.exit(
            f"`slipway {' '.join(arguments)}` ended with {done.returncode}:\n{done.stderr or done.stdout}"
        )
    return Run(ms, json.loads(done.stdout))


def spread(name: str, values: list[float]) -> str:
    """One line: median, p95 and worst of milliseconds."""
    ordered = sorted(values)

    def at(share: float) -> float:
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)]

    return f"{name:<44} median {at(0.5):8.1f} ms   p95 {at(0.95):8.1f} ms   max {ordered[-1]:8.1f} ms"
