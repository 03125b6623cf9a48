"""Pulumi's engine, run with care: preview, judge, approve, update, find drift."""

from collections.abc import Sequence
from datetime import timedelta

from slipway.platforms.platform import Approved, Difference, Platform
from slipway.progress import Progress

__all__ = ["PulumiManaged"]


class PulumiManaged(Platform):
    """A platform whose resources Pulumi can make: there is drift to find and a plan to approve."""

    def drift(self, progress: Progress) -> list[Difference]:
        """By a refresh that the engine previews."""
        from slipway.platforms.pulumi.drift import drift  # noqa: PLC0415

        return drift(self.project, progress)

    def approve(self, urns: Sequence[str], *, lasts: timedelta, reason: str, progress: Progress) -> Approved:
        """Signed with the approver's ssh key."""
        from slipway.platforms.pulumi.approve import approve  # noqa: PLC0415

        path, approval = approve(self.project, urns, lasts=lasts, reason=reason, progress=progress)
        return Approved(path, approval.approved_by, approval.expires_at, approval.model_dump(mode="json"))
