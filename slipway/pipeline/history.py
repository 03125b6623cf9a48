"""The releases of a stack, as `slipway history` lists them."""

from __future__ import annotations

from dataclasses import dataclass

from slipway.ledger.release import Release
from slipway.pipeline.open import OpenStack
from slipway.settings.project import Project


@dataclass(frozen=True)
class Entry:
    """One record of the ledger, with how it ended."""

    release: Release
    status: str

    @property
    def row(self) -> tuple[str, ...]:
        """For a table."""
        release = self.release
        kind = f"rollback to {release.target}" if release.kind == "rollback" else release.kind
        return (
            str(release.number),
            release.created.strftime("%Y-%m-%d %H:%M:%S"),
            kind,
            release.build,
            release.git_sha[:10],
            self.status,
            release.actor,
        )

    def as_json(self) -> dict[str, object]:
        """For `--json`."""
        return {**self.release.model_dump(mode="json"), "status": self.status}


def entries(project: Project, limit: int) -> list[Entry]:
    """The newest `limit` records."""
    return [Entry(release, status) for release, status in OpenStack(project).ledger.history(limit)]
