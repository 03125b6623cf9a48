"""How long it takes to record a stack: `python -m bench.infra [stack] [runs]`. Wall and processor seconds.

The first run may compile the SDK's modules; the others use what it left.
"""

from __future__ import annotations

import resource
import statistics
import sys
import time
from pathlib import Path

from infra.recording import record


def main(stack: str = "prod", runs: int = 5) -> None:
    root = Path(__file__).resolve().parents[1]
    walls: list[float] = []
    for run in range(runs):
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        graph = record(root, stack)
        wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
        walls.append(wall)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        print(f"run {run + 1}: {wall:.2f} s, {cpu:.2f} s of processor time, {len(graph.resources)} resources")
    print(f"{stack}: median {statistics.median(walls):.2f} s, slowest {max(walls):.2f} s")


if __name__ == "__main__":
    main(*(sys.argv[1:2] or ["prod"]), runs=int((sys.argv[2:3] or ["5"])[0]))
