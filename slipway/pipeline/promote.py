"""Promote: the release becomes the last known good, in one conditional write."""

from __future__ import annotations

from slipway.errors import SlipwayError
from slipway.pipeline.joiners import take_in_joiners
from slipway.pipeline.keep_documents import keep_boot_documents
from slipway.pipeline.phase import Phase
from slipway.pipeline.rollout import Rollout


class Promote(Phase):
    """The one write after which a release is a fact."""

    name = "promote"
    touches_fleet = False

    def run(self, rollout: Rollout) -> None:
        """New hosts are told first: one that starts now must not come up with the release before."""
        take_in_joiners(rollout, switched=True)
        keep_boot_documents(rollout, rollout.release)
        try:
            rollout.head = rollout.ledger.promote(rollout.number, schema_head=rollout.manifest.schema_head)
        except BaseException:
            _take_back_documents(rollout)
            raise


def _take_back_documents(rollout: Rollout) -> None:
    try:
        keep_boot_documents(rollout, rollout.ledger.get(rollout.live) if rollout.live else None)
    except SlipwayError as failure:
        rollout.warnings.append(f"new hosts may start release {rollout.number}: {failure.message}")
