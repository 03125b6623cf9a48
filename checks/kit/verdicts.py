"""What a check's outcome means: the verdict, its reason in words, and whether the app's owners accept it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Protocol

import pytest

from checks.kit.check import Check, CouldNotBeTried, NotEvaluated, Verdict
from checks.kit.words import in_words, plain
from slipway.stack import KeyBound

_PYTEST = re.compile(r"\n(assert |  where |\+  where ).*", re.DOTALL)


class Waiver(Protocol):
    """A failure that `checks.accepted` of slipway.toml accepts."""

    @property
    def reason(self) -> str:
        """Why it is accepted."""
        ...

    @property
    def until(self) -> date:
        """The last day on which it is."""
        ...


def judge(
    outcome: str, error: BaseException | None, *, required: bool, when: str = "call"
) -> tuple[Verdict, str]:
    """The verdict and its reason for the `outcome` of a phase ("passed", "failed", "skipped"). Pure.

    `when` is pytest's name of the phase: a check whose setup breaks has tried nothing.
    """
    message = str(getattr(error, "msg", "") or error or "no reason given")
    match outcome, error:
        case "passed", _:
            found: tuple[Verdict, str] = "pass", ""
        case _, NotEvaluated():
            found = "not evaluated", message
        case _, KeyBound():
            found = "not evaluated", message
        case _, CouldNotBeTried():
            found = "could not be tried", message
        case "skipped", _ if required:
            found = "fail", f"a required check cannot be skipped: {message}"
        case "skipped", _:
            found = "skipped", message
        case _, AssertionError() | pytest.fail.Exception():
            found = "fail", ""
        case _ if when == "setup":
            found = "could not be tried", f"what it needs is not there: {in_words(error)}"
        case _:
            found = "fail", ""
    return found


def reason_of(error: BaseException | None, otherwise: str) -> str:
    """Why a check failed: its assertion's message, or another exception in words. Pure."""
    if isinstance(error, AssertionError):
        # pytest appends the compared values, shortened: redaction would not find a secret in them.
        return plain(_PYTEST.sub("", str(error)).strip()) or otherwise
    if isinstance(error, pytest.fail.Exception):
        return plain(str(error.msg))
    return in_words(error) if error else otherwise


def weigh(
    check: Check, verdict: Verdict, reason: str, waivers: Mapping[str, Waiver], today: date
) -> tuple[Verdict, str]:
    """A failure that is accepted today becomes `waived`; a waiver that is over is named. Pure."""
    waiver = waivers.get(check.id)
    if waiver is None or verdict != "fail":
        return verdict, reason
    if today > waiver.until:
        return "fail", f"{reason} (it was accepted until {waiver.until}: {waiver.reason})"
    return "waived", f"{reason} (accepted until {waiver.until}: {waiver.reason})"
