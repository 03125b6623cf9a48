"""A release as the ledger records it, and the status that its events add up to."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Kind = Literal["release", "rollback", "config"]
Status = Literal["pending", "live", "promoted", "failed", "undone", "rolled_back"]
What = Literal["started", "done", "failed", "undone"]

END = "end"
"""The phase of a record's last event when it was not promoted: nothing is left to undo."""
ROLLBACK = "rollback"
"""The phase of the event by which a later command took a promoted release out of service."""


class Stored(BaseModel):
    """Something kept in the bucket. Unknown keys are let through, so that an older slipway can still read."""

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)


class Progress(Stored):
    """How far a record has come. Every event carries it, so the newest event alone tells the status."""

    status: Status = "pending"
    ended: bool = False
    """Nothing is left to do or undo. False in a record that nobody works on: its command was killed."""
    was_promoted: bool = False
    done: tuple[str, ...] = ()
    """The phases that are done and not undone, in order."""

    def after(self, phase: str, what: What) -> Progress:
        """The state once this event has happened."""
        done = tuple(name for name in self.done if name != phase)
        if what == "done":
            done = (*done, phase)
        status, ended, promoted = self.status, self.ended, self.was_promoted
        if (phase, what) == ("promote", "done"):
            status, ended, promoted = "promoted", True, True
        elif (phase, what) == (ROLLBACK, "done"):
            status, ended = "rolled_back", True
        elif (phase, what) == ("switch", "done") and not promoted:
            status = "live"
        elif (what == "failed" or what == "undone") and not promoted:  # noqa: PLR1714 - narrows the type
            status, ended = what, phase == END
        return Progress(status=status, ended=ended, was_promoted=promoted, done=done)


class Event(Stored):
    """One step of a record: who did what when, under which fence. `detail` holds ids and counts only."""

    at: datetime
    phase: str
    event: What
    fence: int
    actor: str
    detail: dict[str, object] = Field(default_factory=dict[str, object])
    progress: Progress
    """What the record has come to with this event."""


class Release(Stored):
    """One record: a build with a config version and a schema head, shipped to a stack under a number.

    A rollback is a record too (`kind`, with the `target` that serves again); hosts and the head know the
    target's number, the record keeps the trail.
    """

    number: int
    stack: str
    kind: Kind
    build: str
    config: str
    schema_head: str | None = None
    migrations: str = ""
    """Digest of the build's migrations; empty when it has none."""
    contracts: tuple[str, ...] = ()
    """Ids of the build's contract migrations: a release that lacks one cannot run once it was applied."""
    git_sha: str = ""
    target: int | None = None
    actor: str
    created: datetime
    fence: int
    progress: Progress = Field(default=Progress(), exclude=True)
    """Derived from the events, never stored in the record itself."""

    @property
    def status(self) -> Status:
        """What became of it."""
        return self.progress.status

    @property
    def was_promoted(self) -> bool:
        """Was it ever the last known good? Still true after it was rolled back."""
        return self.progress.was_promoted

    @property
    def is_good(self) -> bool:
        """May a rollback choose it unasked? It was promoted, and nobody had to go back from it."""
        return self.kind != "rollback" and self.status == "promoted"


class Head(Stored):
    """Moved only by a conditional write under the lease. All None: nothing was ever promoted."""

    live: int | None = None
    """The release that serves (after a rollback: the one gone back to)."""
    last_known_good: int | None = None
    previous: int | None = None
    """The good release before, where a rollback goes; None: not known without reading the records."""
    schema_head: str | None = None
    """The newest migration that was applied; it stays where it is in a rollback."""
    newest: int = 0
    """A record number that exists: where the search for the next one begins."""
    fence: int = 0
    """The lease under which it was last written; a writer with an older one is refused."""
    updated: datetime | None = None
