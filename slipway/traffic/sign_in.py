"""Signing in as the smoke steps do, whatever client sends them: checks and load tests bring their own."""

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from slipway.settings import App, BadInput, SlipwayError, Step

__all__ = ["Answer", "Identity", "Send", "Session", "fill", "fill_body", "identity_of", "pick", "sign_in"]


@dataclass(frozen=True)
class Answer:
    """What a step was answered."""

    status: int
    text: str


Send = Callable[[str, str, Mapping[str, str], object], Answer]
"""(method, path, headers, JSON body or None) → answer."""


@dataclass(frozen=True)
class Session:
    """A signed-in user."""

    captures: Mapping[str, str] = field(repr=False)
    """What the steps captured: `token`, …"""
    headers: Mapping[str, str] = field(repr=False)
    """What identifies the user on further requests; empty if the app does so by cookie alone."""


def sign_in(steps: Sequence[Step], app: App, values: Mapping[str, str], send: Send) -> Session:
    """Runs `steps` in order. SlipwayError names the step that failed, and never a value."""
    known = dict(values)
    captures: dict[str, str] = {}
    for step in steps:
        method, _, path = step.request.partition(" ")
        answer = send(
            method,
            fill(path, known),
            {name: fill(value, known) for name, value in step.headers.items()},
            None if step.body is None else fill_body(step.body, known),
        )
        if answer.status != step.status:
            raise SlipwayError(
                f"sign-in step {step.name!r}: expected {step.status}, got {answer.status}",
                remedy="try it with `slipway release`, whose smoke phase runs the same step",
            )
        for name, dotted in step.capture.items():
            captures[name] = known[name] = captured(step.name, answer.text, dotted)
    return Session(captures, identity_of(app, known))


def identity_of(app: App, values: Mapping[str, str]) -> dict[str, str]:
    """The headers by which the smoke steps identify the user: those of the first step that has any.

    Empty if their placeholders have no value yet.
    """
    for step in app.smoke.steps:
        if step.headers and "${" in "".join(step.headers.values()):
            try:
                return {name: fill(value, values) for name, value in step.headers.items()}
            except SlipwayError:
                return {}
    return {}


_NAME = re.compile(r"\$\{(\w+)\}")


def fill(template: str, values: Mapping[str, str]) -> str:
    """`template` with every `${name}` replaced; BadInput for a name without a value."""
    return _NAME.sub(lambda match: _value(match[1], values), template)


def fill_message(template: str, values: Mapping[str, str]) -> str:
    """The same for a message; in one that is JSON, quotes and backslashes of a value are escaped."""
    if not template.lstrip().startswith(("{", "[")):
        return fill(template, values)
    return _NAME.sub(lambda match: json.dumps(_value(match[1], values))[1:-1], template)


def fill_body(body: object, values: Mapping[str, str]) -> object:
    """A JSON body with every string in it filled."""
    if isinstance(body, str):
        return fill(body, values)
    if isinstance(body, list):
        return [fill_body(item, values) for item in cast("list[object]", body)]
    if isinstance(body, dict):
        return {key: fill_body(value, values) for key, value in cast("dict[str, object]", body).items()}
    return body


def pick(document: object, path: str) -> str:
    """The text at a dotted path of a JSON document: `user.tokens.0`. KeyError if there is nothing."""
    here = document
    for part in path.split("."):
        if isinstance(here, dict):
            here = cast("dict[str, object]", here)[part]
        elif isinstance(here, list) and part.isdigit() and int(part) < len(cast("list[object]", here)):
            here = cast("list[object]", here)[int(part)]
        else:
            raise KeyError(path)
    return here if isinstance(here, str) else json.dumps(here)


def captured(step: str, text: str, path: str) -> str:
    """What a step's JSON answer holds at `path`; SlipwayError names the step if it does not."""
    try:
        return pick(json.loads(text), path)
    except (json.JSONDecodeError, KeyError):
        raise SlipwayError(f"sign-in step {step!r}: its answer has no {path}") from None


def _value(name: str, values: Mapping[str, str]) -> str:
    if name not in values:
        raise BadInput(
            f"${{{name}}} has no value in a smoke step or a websocket message",
            remedy=f"capture {name} in an earlier smoke step, or give env {name} the scope smoke",
        )
    return values[name]


def names_in(template: str) -> set[str]:
    """The names `${…}` of a template."""
    return set(re.findall(r"\$\{(\w+)\}", template))


def sign_in_steps(app: App) -> list[Step]:
    """The smoke steps that sign a user in.

    Those that capture what sockets' messages and headers name, those that send a value of the env, and
    whatever these need themselves.
    """
    steps = app.smoke.steps
    wanted = names_in(" ".join(app.websocket.open) + app.websocket.echo if app.websocket else "")
    for step in steps:
        wanted |= names_in(" ".join(step.headers.values()))
    needed: set[int] = set()
    while True:
        more = {
            index
            for index, step in enumerate(steps)
            if index not in needed
            and (wanted & step.capture.keys() or names_in(str(step.body)) & app.env.keys())
        }
        if not more:
            return [step for index, step in enumerate(steps) if index in needed]
        needed |= more
        for index in more:
            wanted |= names_in(_texts(steps[index]))


def signed_in_steps(app: App) -> list[Step]:
    """The smoke steps that follow the sign-in; all that are no refusals, if there is none."""
    needed = sign_in_steps(app)
    first = app.smoke.steps.index(needed[-1]) + 1 if needed else 0
    return [step for step in app.smoke.steps[first:] if step.status < 400]


def _texts(step: Step) -> str:
    return " ".join([step.request, *step.headers.values(), str(step.body)])


FRESH_SECONDS = 240.0
"""As long as the shortest-lived tokens in use can be trusted to last (commonly five minutes)."""
RETRY_SECONDS = 1.0
"""Pause after a failed sign-in."""


class Identity:
    """The signed-in user that all clients of a process share, signed in again when it is four minutes old.

    Signing in hashes a password: if each client did, that would be most of the load.
    """

    def __init__(self, sign_in: Callable[[], Session]) -> None:
        from gevent.lock import RLock  # noqa: PLC0415 - checks sign in too, without gevent

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
