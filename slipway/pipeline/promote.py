"""Promote: the release becomes the last known good, in one conditional write."""

from __future__ import annotations

from slipway.pipeline.phase import Phase
from slipway.pipeline.rollout import Rollout


class Promote(Phase):
    """The one write after which a release is a fact."""

    name = "promote"
    touches_fleet = False

    def run(self, rollout: Rollout) -> None:
        """Move the head."""
        rollout.head = rollout.ledger.promote(rollout.number, schema_head=rollout.manifest.schema_head)
