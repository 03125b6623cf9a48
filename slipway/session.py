"""Signing in as the smoke steps do, whatever client sends them: checks and load tests bring their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from slipway.meter.fill import captured, fill, fill_body, pick
from slipway.settings.app import App, Step
from slipway.settings.errors import SlipwayError

__all__ = ["Answer", "Send", "Session", "fill", "fill_body", "identity_of", "pick", "sign_in"]


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
            raise SlipwayError(f"sign-in step {step.name!r}: expected {step.status}, got {answer.status}")
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
