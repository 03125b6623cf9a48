"""Which checks `--only`, `--severity` and `--host` select."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from checks.kit.check import Check, check
from checks.kit.plugin import Choice, waived_in_vain
from checks.kit.roots import ROOTS
from tests.unit.checks.conftest import Ran

Run = Callable[..., Ran]
SOURCE = """
@check("X1", "I10", **RULE)
def test_hsts(): pass
@check("X1", **{**RULE, "severity": "low"})
def test_tls(): pass
@check("I4", **{**RULE, "severity": "critical"})
def test_redis(): pass
@check("I7", **RULE)
def test_ssh(host): pass
@check("I8", roles=("data",), **RULE)
def test_dumps(host): pass
"""


@pytest.mark.parametrize(
    ("options", "chosen"),
    [
        (("--only", "X1"), {"X1/hsts", "X1/tls"}),
        (("--only", "x1/hs"), {"X1/hsts"}),
        (("--only", "I10,I4"), {"X1/hsts", "I4/redis"}),
        (("--severity", "critical"), {"I4/redis"}),
        (("--severity", "high", "--only", "X1"), {"X1/hsts"}),
        (("--host", "web2"), {"I7/ssh@web2"}),
        (("--host", "data1"), {"I7/ssh@data1", "I8/dumps@data1"}),
    ],
)
def test_only_severity_and_host_narrow_a_run(run: Run, options: tuple[str, ...], chosen: set[str]) -> None:
    ran = run(SOURCE, *options)
    assert ran.code == 0, ran.said
    assert set(ran.verdicts) == chosen


def test_a_row_that_is_not_there_is_refused_with_what_is_near(run: Run) -> None:
    ran = run(SOURCE, "--only", "X1/htst")
    assert ran.code == pytest.ExitCode.USAGE_ERROR
    assert "did you mean X1/hsts" in ran.said


def test_a_host_that_is_not_there_is_refused_with_those_there_are(run: Run) -> None:
    ran = run(SOURCE, "--host", "web9")
    assert ran.code == pytest.ExitCode.USAGE_ERROR
    assert "web1, web2, data1" in ran.said


def test_a_word_that_is_near_nothing_gets_the_rows() -> None:
    problem = Choice(only=("zzz",)).problem(
        [Check(("X1",), "a", "low", "", ""), Check(("I4",), "b", "low", "", "")], []
    )
    assert "X1" in problem
    assert "I4" in problem


def test_a_check_of_no_row_is_refused() -> None:
    with pytest.raises(ValueError, match="rows of the production checklist"):
        check("Z1", severity="low", why="", remedy="")


def test_a_check_that_is_accepted_in_vain_is_refused_with_what_is_near() -> None:
    named = [root.replace("-", " ").split("/") for root in ROOTS]
    roots = [Check((row,), title, "low", "", "") for row, title in named]
    problem = waived_in_vain(["S2/the-site-answer"], roots)
    assert "slipway.toml checks.accepted: there is no check 'S2/the-site-answer'" in problem
    assert "did you mean S2/the-site-answers" in problem
    assert waived_in_vain(list(ROOTS), roots) == ""
    assert waived_in_vain(["X5/elsewhere"], roots[:2]) == "", "only some of the files were collected"
