"""What the ledger stores: releases with their events and resulting status, and the head."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hosts.agent.signature import statement
from slipway.storage.bucket import Damaged

Kind = Literal["release", "rollback", "config"]
Status = Literal["pending", "live", "promoted", "failed", "undone", "rolled_back"]
What = Literal["started", "done", "failed", "undone"]

END = "end"
"""The phase of a record's last event when it was not promoted: nothing is left to undo."""
ROLLBACK = "rollback"
"""The phase of the event that takes a promoted release out of service."""


class Stored(BaseModel):
    """An object in the bucket. Unknown keys are ignored, so that an older slipway can still read it."""

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)

    @classmethod
    def read(cls, key: str, content: Mapping[str, object]) -> Self:
        """The object that was stored at `key`. Raises Damaged if the content has another form."""
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            places = ", ".join(".".join(map(str, found["loc"])) for found in error.errors()[:3])
            raise Damaged(key, f"is damaged: wrong or missing {places}") from None


class Progress(Stored):
    """How far a record has come. Every event carries it, so the newest event alone gives the status."""

    status: Status = "pending"
    ended: bool = False
    """Nothing is left to do or undo.

    If False and no command is at work on the record, its command was killed.
    """
    was_promoted: bool = False
    done: tuple[str, ...] = ()
    """The phases done and not undone, in order."""

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
    """One step of a record: actor, action, time and fence. `detail` holds ids and counts only."""

    at: datetime
    phase: str
    event: What
    fence: int
    actor: str
    detail: dict[str, object] = Field(default_factory=dict[str, object])
    progress: Progress
    """The record's state after this event."""


class Release(Stored):
    """One record: a build with a config version and a schema head, shipped to a stack under a number.

    A rollback is a record too (`kind`, with the `target` that serves again); hosts and the head use the
    target's number, the record keeps the audit trail.
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
    """Ids of the build's contract migrations. Once one was applied, a release without it cannot run."""
    git_sha: str = ""
    dirty: bool = False
    """Whether the source differed from its commit."""
    target: int | None = None
    gone: int | None = None
    """For a rollback: the release that it takes out of service, whether that was promoted or under way."""
    actor: str
    created: datetime
    fence: int
    floor: int = 0
    """Fence of the record that decided what served before; hosts then refuse what was signed before that."""
    signer: str = ""
    """Who signed it, as the stack's file of signers has the name; empty: it is not signed."""
    signature: str = ""
    """Over what hosts are to do by this record: hosts/agent/signature.py."""
    progress: Progress = Field(default=Progress(), exclude=True)
    """Derived from the events, never stored in the record itself."""

    def statement(self, stack: str) -> bytes:
        """What the signature is over; `stack` is the fleet's id."""
        return statement(
            stack=stack,
            release=self.target or self.number,
            build=self.build,
            record=self.number,
            fence=self.fence,
            floor=self.floor,
        )

    @property
    def ticket(self) -> dict[str, object] | None:
        """What hosts check before they serve the release; None: it is not signed."""
        if not self.signature:
            return None
        return {
            "record": self.number,
            "fence": self.fence,
            "floor": self.floor,
            "signer": self.signer,
            "signature": self.signature,
        }

    @property
    def source(self) -> str:
        """The commit in short; with uncommitted changes, also what tells this build from others."""
        mark = f"+{self.build[1:5]}" if self.dirty else ""
        return f"{self.git_sha[:10]}{mark}" if self.git_sha else ""

    @property
    def status(self) -> Status:
        """The status after its newest event."""
        return self.progress.status

    @property
    def was_promoted(self) -> bool:
        """Whether it ever was the last known good. Stays true after a rollback."""
        return self.progress.was_promoted

    @property
    def is_good(self) -> bool:
        """Whether a rollback may choose it by itself: it was promoted and never rolled back."""
        return self.kind != "rollback" and self.status == "promoted"


def head_key(stack: str) -> str:
    """Key of a stack's head in the builds bucket."""
    return f"stacks/{stack}/head.json"


class Head(Stored):
    """What serves and what is known to be good: one object for each stack.

    Changed only by a conditional write under the lease. All None: nothing was ever promoted.
    """

    live: int | None = None
    """The release that serves (after a rollback: its target)."""
    record: int | None = None
    """The record that decided what serves: the release's own, or a rollback to it."""
    last_known_good: int | None = None
    previous: int | None = None
    """The good release before, the target of a rollback; None: the records must be read to find it."""
    schema_head: str | None = None
    """The newest migration that was applied; a rollback does not change it."""
    newest: int = 0
    """An existing record number, from which the search for the next one begins."""
    fence: int = 0
    """The fence under which it was last written; a writer with an older one is refused."""
    updated: datetime | None = None
