"""What every phase of a release is: a name, what it does, and how that is taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from slipway.release.rollout import Rollout


class Phase:
    """A step of a release. `run` and `undo` must be safe to repeat: either may have been killed half-way."""

    name: ClassVar[str]
    undoing: ClassVar[str] = ""
    """What is taken back, for the person; default: the phase's name."""
    touches_fleet: ClassVar[bool] = True
    """Phases that touch the fleet check first that the lease is still ours."""

    def run(self, rollout: Rollout) -> None:
        """Do it, or raise a SlipwayError."""
        raise NotImplementedError

    def undo(self, rollout: Rollout) -> None:
        """Take back whatever of `run` happened. Nothing to take back by default."""
