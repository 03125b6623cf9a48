"""The signed-in user that all clients of a process share, signed in again before that gets too old.

Signing in hashes a password: if each client did, that would be most of the load.
"""

import time
from collections.abc import Callable

from gevent.lock import RLock

from slipway.settings import SlipwayError
from slipway.traffic.sign_in import Session

__all__ = ["Identity"]

FRESH_SECONDS = 240.0
"""As long as the shortest-lived tokens in use can be trusted to last (commonly five minutes)."""
RETRY_SECONDS = 1.0
"""Pause after a failed sign-in."""


class Identity:
    """Signs in by `sign_in` when a session is first used, and again when it is four minutes old."""

    def __init__(self, sign_in: Callable[[], Session]) -> None:
        self._sign_in = sign_in
        self._lock = RLock()
        self._session = Session({}, {})
        self._until = 0.0
        self._failed: SlipwayError | None = None

    def session(self) -> Session:
        """The signed-in user. SlipwayError names the step that failed, and never a value."""
        if time.monotonic() >= self._until:
            with self._lock:
                if time.monotonic() >= self._until:
                    self._renew()
        if self._failed:
            raise self._failed
        return self._session

    def _renew(self) -> None:
        try:
            self._session, self._failed = self._sign_in(), None
            self._until = time.monotonic() + FRESH_SECONDS
        except SlipwayError as failed:
            self._failed = failed
            self._until = time.monotonic() + RETRY_SECONDS
