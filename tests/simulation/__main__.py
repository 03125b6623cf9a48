"""The whole story of one seed, or of a run of seeds: `python -m tests.simulation SEED [LAST]`"""

import sys
import time

from tests.simulation.patches import simulated
from tests.simulation.story import Story, Violation, play
from tests.simulation.world import World


def main(first: int, last: int) -> int:
    failed = 0
    began = time.monotonic()
    with simulated():
        for seed in range(first, last + 1):
            try:
                play(seed)
            except Violation as violation:
                failed += 1
                print(violation if last > first else violation.what)
            if last == first:
                print(*World.current.story, *Story.of(seed).faults, sep="\n")
    print(f"{failed} failed, {(last + 1 - first) / (time.monotonic() - began):.1f} seeds a second")
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[-1])))
