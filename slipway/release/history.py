"""The releases of a stack, as `slipway history` lists them."""

from __future__ import annotations

from slipway.release.open import OpenStack
from slipway.settings.project import Project
from slipway.storage.records import Release

COLUMNS = ("NUMBER", "WHEN", "KIND", "BUILD", "GIT", "STATUS", "BY")


def entries(project: Project, limit: int) -> list[Release]:
    """The newest `limit` records, newest first."""
    return OpenStack(project).ledger.history(limit)


def row(release: Release) -> tuple[str, ...]:
    """One record for a table."""
    return (
        str(release.number),
        release.created.strftime("%Y-%m-%d %H:%M:%S"),
        f"rollback to {release.target}" if release.kind == "rollback" else release.kind,
        release.build,
        release.git_sha[:10],
        release.status.replace("_", " "),
        release.actor,
    )


def as_json(release: Release) -> dict[str, object]:
    """One record for `--json`."""
    return {**release.model_dump(mode="json"), "status": release.status}
