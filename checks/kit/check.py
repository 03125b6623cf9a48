"""The `check` marker: which rows a test proves, by which standard, why, and the remedy; and the verdicts."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NoReturn, TypeVar, cast

import pytest

from slipway.stack import Role

Severity = Literal["critical", "high", "medium", "low"]
SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low")
"""Worst first."""
Verdict = Literal["pass", "fail", "skipped", "not evaluated"]
VERDICTS: tuple[Verdict, ...] = ("fail", "pass", "not evaluated", "skipped")
"""Worst first."""

Test = TypeVar("Test", bound=Callable[..., object])
_ROW = re.compile(r"^[PISX]\d{1,2}$")


@dataclass(frozen=True)
class Check:
    """What is known about a check before it runs."""

    rows: tuple[str, ...]
    """Rows of the production checklist: `X1`, `I4`. The first one is in its id."""
    title: str
    """The test's name as a sentence."""
    severity: Severity
    why: str
    """What happens to those who do not have it."""
    remedy: str
    """What to do, with the file and key to change where there is one."""
    asvs: str = ""
    """Requirements of OWASP ASVS 5.0, for example `3.4.1`."""
    standard: str = ""
    """Other standards: `Lynis DBS-1884`, `DevSec postgres-06`, `CIS …`."""
    required: bool = True
    """A required check fails if it is skipped."""
    invasive: bool = False
    """It would disturb users of a production stack, so it runs only with --invasive."""
    waits_for: tuple[str, ...] = ()
    """Names of the background trials whose results it takes."""
    roles: tuple[Role, ...] = ()
    """For checks that take `host`: the roles whose hosts it runs on; empty: every host."""

    @property
    def id(self) -> str:
        """Its name in reports, stable as long as the test keeps its name: `X1/hsts-covers-a-year`."""
        return f"{self.rows[0]}/{self.title.replace(' ', '-')}"


def check(
    *rows: str,
    severity: Severity,
    why: str,
    remedy: str,
    asvs: str = "",
    standard: str = "",
    required: bool = True,
    invasive: bool = False,
    waits_for: tuple[Callable[..., object], ...] = (),
    roles: tuple[Role, ...] = (),
) -> Callable[[Test], Test]:
    """Mark a test function as a check of `rows`. Raises ValueError if a row has no valid name."""
    if not rows or not all(_ROW.match(row) for row in rows):
        raise ValueError(f"a check names rows of the production checklist, got {rows}")

    def mark(test: Test) -> Test:
        title = test.__name__.removeprefix("test_").replace("_", " ")
        trials = tuple(trial.__name__ for trial in waits_for)
        of = Check(rows, title, severity, why, remedy, asvs, standard, required, invasive, trials, roles)
        return pytest.mark.check(of)(test)

    return mark


def check_of(item: pytest.Item) -> Check | None:
    """The check that `item` is, or None for an ordinary test."""
    mark = item.get_closest_marker("check")
    return cast("Check", mark.args[0]) if mark else None


def row_order(row: str) -> tuple[int, int]:
    """Sort key of a row: the order of the production checklist."""
    return "PISX".index(row[0]), int(row[1:])


class NotEvaluated(pytest.skip.Exception):
    """The check could not be tried: the app does not declare what it needs, or no option allows it."""


def not_evaluated(reason: str) -> NoReturn:
    """End a check: the app does not declare what it needs (name the key), or an option does not allow it."""
    raise NotEvaluated(reason, _use_item_location=True)


def skipped(reason: str) -> NoReturn:
    """End a check that does not apply: the stack has no such part. A required check then fails."""
    raise pytest.skip.Exception(reason, _use_item_location=True)


def judge(outcome: str, error: BaseException | None, *, required: bool) -> tuple[Verdict, str]:
    """The verdict and its reason for a phase's `outcome` ("passed", "failed", "skipped"). Pure."""
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
