"""What a run was to bring: without it nobody can tell a quiet target from a generator that did nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf


@dataclass(frozen=True)
class Asked:
    """The load that was meant, and when what came of it counts. `Asked(started)`: no plan."""

    started: float
    """In seconds since 1970."""
    windows: tuple[tuple[float, float], ...] = ((0.0, inf),)
    """From and to, in seconds since the start: what comes in between is judged."""
    sockets: int = 0
    """To be open at the same time at the peak."""
    kinds: frozenset[str] = frozenset()
    """Of which there must be data."""
    min_samples: int | None = None
    """Where neither kind nor name has a threshold of its own; None: as `load.min_samples` says."""

    @property
    def seconds(self) -> float:
        """Until the last window ends; 0 for a run without end."""
        end = max((end for _, end in self.windows), default=0.0)
        return 0.0 if end == inf else end

    def judges(self, width: int) -> Callable[[int], bool]:
        """Tells of slots of `width` seconds, by their begin, if all of what came in one counts."""

        def inside(begin: int) -> bool:
            at = begin - self.started
            return any(start <= at and at + width <= end for start, end in self.windows)

        return inside

    def judged_seconds(self, now: float = inf) -> float:
        """How much of the windows has passed at `now` (seconds since 1970)."""
        at = now - self.started
        return sum(max(0.0, min(end, at) - start) for start, end in self.windows)
