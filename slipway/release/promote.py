"""Promote: the release becomes the last known good, in one conditional write."""

from __future__ import annotations

from slipway.release.joiners import take_in_joiners
from slipway.release.phase import Phase
from slipway.release.promoted import move_head
from slipway.release.rollout import Rollout


class Promote(Phase):
    """The one write after which a release is a fact."""

    name = "promote"
    touches_fleet = False

    def run(self, rollout: Rollout) -> None:
        """Newcomers come along, then the head moves."""
        take_in_joiners(rollout, switched=True)
        move_head(
            rollout,
            rollout.release,
            lambda: rollout.ledger.promote(rollout.number, schema_head=rollout.manifest.schema_head),
        )
