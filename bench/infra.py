"""How long it takes to record a stack's Pulumi program.

    uv run python -m bench.infra [stack] [--times 5] [--json]

The first run may compile the SDK's modules; the others use what it left.
"""

from __future__ import annotations

import resource
import time

from bench.record import ROOT, note, parser, record, record_spread
from infra.recording import record as record_stack


def main() -> None:
    wanted = parser(__doc__)
    wanted.add_argument("stack", nargs="?", default="prod")
    wanted.add_argument("--times", type=int, default=5)
    given = wanted.parse_args()
    walls: list[float] = []
    resources = 0
    for number in range(given.times):
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        resources = len(record_stack(ROOT, given.stack).resources)
        wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
        walls.append(wall)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        note(f"run {number + 1}: {wall:.2f} s, {cpu:.2f} s of processor time, {resources} resources")
    record_spread(f"infra.{given.stack}", walls, "s", f"{given.times} runs")
    record(f"infra.{given.stack}.resources", resources, "", "in the recorded graph")


if __name__ == "__main__":
    main()
