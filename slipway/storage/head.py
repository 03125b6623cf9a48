"""The head: the one object that says what serves and what is known to be good."""

from __future__ import annotations

from datetime import datetime

from slipway.storage.release import Stored


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
