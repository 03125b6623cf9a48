"""The mark of a check: which demand it proves, by which standard, how bad a miss is, and its remedy."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar, cast

import pytest

from slipway.settings.stack import Role

Severity = Literal["critical", "high", "medium", "low"]
SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low")
"""Worst first."""

Test = TypeVar("Test", bound=Callable[..., object])
_ROW = re.compile(r"^[PISX]\d{1,2}$")


@dataclass(frozen=True)
class Check:
    """What is known of a check before it runs."""

    rows: tuple[str, ...]
    """Rows of the production checklist, the first being its home: `X1`, `I4`."""
    title: str
    """The test's name as a sentence."""
    severity: Severity
    why: str
    """What happens to those who miss it."""
    remedy: str
    """What to do about it, naming file and key where there is one."""
    asvs: str = ""
    """Requirements of OWASP ASVS 5.0, for example `3.4.1`."""
    standard: str = ""
    """Other standards: `Lynis DBS-1884`, `DevSec postgres-06`, `CIS …`."""
    required: bool = True
    """May it not be skipped?"""
    invasive: bool = False
    """Would it disturb users of a production stack? Runs only with --invasive."""
    waits_for: tuple[str, ...] = ()
    """Names of the trials (`begun_early`) it asks for."""
    roles: tuple[Role, ...] = ()
    """For checks that take `host`: the roles it is run on; empty: every host."""

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
    """Marks a test function as a check of `rows`. Raises ValueError for a row that cannot be."""
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
