"""Pulumi's engine, run with care: preview, judge, approve, update, find drift."""

import importlib.util
import shutil
from collections.abc import Sequence
from datetime import timedelta

from slipway.platforms.platform import Approved, Difference, Platform
from slipway.progress import Progress
from slipway.settings import BadInput

__all__ = ["PulumiManaged", "refuse_missing"]


class PulumiManaged(Platform):
    """A platform whose resources Pulumi can make: there is drift to find and a plan to approve."""

    def drift(self, progress: Progress) -> list[Difference]:
        """By a refresh that the engine previews."""
        refuse_missing()
        from slipway.platforms.pulumi.drift import drift  # noqa: PLC0415 - the package pulumi takes 0.4 s

        return drift(self.project, progress)

    def approve(self, urns: Sequence[str], *, lasts: timedelta, reason: str, progress: Progress) -> Approved:
        """Signed with the approver's ssh key."""
        refuse_missing()
        from slipway.platforms.pulumi.approval import approve  # noqa: PLC0415

        path, approval = approve(self.project, urns, lasts=lasts, reason=reason, progress=progress)
        return Approved(path, approval.approved_by, approval.expires_at, approval.model_dump(mode="json"))


def refuse_missing() -> None:
    """BadInput, saying which, if the CLI or its Python package is missing."""
    if shutil.which("pulumi") is None:
        raise BadInput(
            "the Pulumi CLI is not on PATH",
            remedy="install it (https://www.pulumi.com/docs/install/), version 3.205 or newer",
        )
    if importlib.util.find_spec("pulumi") is None:
        raise BadInput(
            "the Python package pulumi is not installed",
            remedy="install slipway again: uv tool install --reinstall slipway; in a clone: uv sync",
        )
