"""The `check` marker: which rows a test proves, by which standard, why, and the remedy; and how it ends."""

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
Verdict = Literal["fail", "could not be tried", "waived", "pass", "not evaluated", "skipped"]
Spends = Literal["nothing", "some", "all"]
VERDICTS: tuple[Verdict, ...] = ("fail", "could not be tried", "waived", "pass", "not evaluated", "skipped")
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
    deep: bool = False
    """It takes long or sends very many requests: only with --deep, in production only with --invasive too."""
    spends: Spends = "nothing"
    """How much it spends of what limits per address leave to this machine: `all` comes last in a run."""
    waits_for: tuple[str, ...] = ()
    """Names of the background trials whose results it takes."""
    ahead: bool = False
    """It runs in a thread from the beginning of the run: it waits more than it computes."""
    needs: tuple[str, ...] = ()
    """Keys of slipway.toml and of the stack's settings without which it has no subject: see kit/needs.py."""
    roles: tuple[Role, ...] = ()
    """For checks that take `host`: the roles whose hosts it runs on; empty: every host."""
    stands_on: tuple[str, ...] = ()
    """Ids of roots that what it looks at needs: while one is broken, its failure is theirs."""

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
    deep: bool = False,
    spends: Spends = "nothing",
    waits_for: tuple[Callable[..., object], ...] = (),
    ahead: bool = False,
    needs: tuple[str, ...] = (),
    roles: tuple[Role, ...] = (),
    stands_on: tuple[str, ...] = (),
) -> Callable[[Test], Test]:
    """Mark a test function as a check of `rows`. Raises ValueError if a row has no valid name.

    One that runs `ahead` takes fixtures of the session alone, and spends nothing.
    """
    if not rows or not all(_ROW.match(row) for row in rows):
        raise ValueError(f"a check names rows of the production checklist, got {rows}")

    if ahead and spends != "nothing":
        raise ValueError("a check that runs ahead cannot spend the budget of the run")
    trials = tuple(trial.__name__ for trial in waits_for)

    def mark(test: Test) -> Test:
        title = test.__name__.removeprefix("test_").replace("_", " ")
        given = (severity, why, remedy, asvs, standard, required, invasive, deep, spends, trials, ahead)
        return pytest.mark.check(Check(rows, title, *given, needs, roles, stands_on))(test)

    return mark


def check_of(item: pytest.Item) -> Check | None:
    """The check that `item` is, or None for an ordinary test."""
    mark = item.get_closest_marker("check")
    return cast("Check", mark.args[0]) if mark else None


def row_order(row: str) -> tuple[int, int]:
    """Sort key of a row: the order of the production checklist."""
    return "PISX".index(row[0]), int(row[1:])


class NotEvaluated(pytest.skip.Exception):
    """The check does not apply yet: the app does not declare what it needs, or no option allows it."""


class CouldNotBeTried(pytest.skip.Exception):
    """What the check stands on is broken: nothing is known of the check's promise. The run has not passed."""


def not_evaluated(reason: str) -> NoReturn:
    """End a check: the app does not declare what it needs (name the key), or an option does not allow it."""
    raise NotEvaluated(reason, _use_item_location=True)


def could_not_be_tried(reason: str, cause: str = "") -> NoReturn:
    """End a check for a `reason` that another check reports: `cause` is its id (`S2/the-site-answers`).

    So one root cause is one failure, however many checks stand on it. No `cause`: it is not in the stack.
    """
    raise CouldNotBeTried(f"{reason} (see {cause})" if cause else reason, _use_item_location=True)


def skipped(reason: str) -> NoReturn:
    """End a check that does not apply: the stack has no such part. A required check then fails."""
    raise pytest.skip.Exception(reason, _use_item_location=True)


def why_not(check: Check, *, deep: bool, invasive: bool, production: bool) -> str:
    """Why the options do not allow `check` to run on this stack; empty if they do. Pure."""
    if check.invasive and not invasive:
        return "it would disturb users; run it with --invasive"
    if check.deep and not deep:
        return "it takes long or sends very many requests; run it with --deep"
    if check.deep and production and not invasive:
        return "--deep does not run it in production; add --invasive to allow it"
    return ""
