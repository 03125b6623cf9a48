"""Who the users of a load test are: signed in once by the smoke steps, and again before that gets old."""

# Locust and its HTTP client are partly untyped.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownLambdaType=false

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from http.cookiejar import Cookie

from gevent.lock import RLock
from locust.event import EventHook

from slipway.settings.errors import SlipwayError
from slipway.traffic.http_session import HttpSession
from slipway.traffic.sign_in import Answer, Session, sign_in, sign_in_steps
from slipway.traffic.target import STICKY_COOKIE, Aim

__all__ = ["Identity"]

FRESH_SECONDS = 240.0
"""As long as the shortest-lived tokens in use can be trusted to last (commonly five minutes)."""
AGAIN_SECONDS = 1.0
"""After a sign-in that failed, everybody waits so long before the next attempt."""


class Identity:
    """The smoke user, whom all users of a process share: signing in costs more than what is to be tested."""

    def __init__(self, aim: Aim, events: EventHook) -> None:
        self._aim = aim
        self._steps = sign_in_steps(aim.app)
        self._client = HttpSession(aim, events, timeout=aim.app.load.patience_seconds)
        self._lock = RLock()
        self._session = Session({}, {})
        self._until = 0.0
        self._failed: SlipwayError | None = None

    def session(self) -> Session:
        """The signed-in user. SlipwayError names the step that failed, and never a value."""
        if time.monotonic() < self._until:
            return self._found()
        with self._lock:
            if time.monotonic() < self._until:
                return self._found()
            try:
                self._session, self._failed = self._sign_in(), None
                self._until = time.monotonic() + FRESH_SECONDS
            except SlipwayError as failed:
                self._failed = failed
                self._until = time.monotonic() + AGAIN_SECONDS
            return self._found()

    @property
    def cookies(self) -> Sequence[Cookie]:
        """What the app set at sign-in: what identifies the user where no header does."""
        return [cookie for cookie in self._client.cookiejar if cookie.name != STICKY_COOKIE]

    def _found(self) -> Session:
        if self._failed:
            raise self._failed
        return self._session

    def _sign_in(self) -> Session:
        expected = iter(self._steps)

        def send(method: str, path: str, headers: Mapping[str, str], body: object) -> Answer:
            step = next(expected)
            with self._client.request(
                method,
                path,
                step.request.partition(" ")[2],
                headers=dict(headers),
                json=body,
                catch_response=True,
            ) as answer:
                if answer.status_code == step.status:
                    answer.success()
                return Answer(answer.status_code, answer.text or "")

        return sign_in(self._steps, self._aim.app, self._aim.values, send)
