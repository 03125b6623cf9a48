"""What a check came to: pass, fail, skipped with a reason, or not evaluated."""

from __future__ import annotations

from typing import Literal, NoReturn

import pytest

Verdict = Literal["pass", "fail", "skipped", "not evaluated"]
VERDICTS: tuple[Verdict, ...] = ("fail", "pass", "not evaluated", "skipped")


class NotEvaluated(pytest.skip.Exception):
    """The check could not be tried, and nobody is to blame: the app did not declare what it needs, or the
    person did not ask for what it takes."""


def not_evaluated(reason: str) -> NoReturn:
    """Ends a check: the app did not declare what it needs (name the key), or it was not allowed."""
    raise NotEvaluated(reason, _use_item_location=True)


def skipped(reason: str) -> NoReturn:
    """Ends a check that does not apply here: the stack has no such part. A required one then fails."""
    raise pytest.skip.Exception(reason, _use_item_location=True)


def judge(outcome: str, error: BaseException | None, *, required: bool) -> tuple[Verdict, str]:
    """The verdict and its reason, of a phase's `outcome` ("passed", "failed", "skipped"). Pure."""
    if outcome == "passed":
        return "pass", ""
    if isinstance(error, NotEvaluated):
        return "not evaluated", str(error.msg)
    if outcome == "skipped":
        reason = str(getattr(error, "msg", "") or error or "no reason given")
        if required:
            return "fail", f"a required check cannot be skipped: {reason}"
        return "skipped", reason
    return "fail", ""
