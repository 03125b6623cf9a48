"""Verdicts, exit codes and redaction, as a person and a pipeline see them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from checks.kit.check import NotEvaluated, judge
from checks.kit.plugin import reason_of
from tests.unit.checks.conftest import CANARY, Ran

Run = Callable[..., Ran]
GOOD = """
@check("X1", **RULE)
def test_all_is_well(): pass
"""
BAD = """
@check("X2", **RULE)
def test_it_is_broken(): assert 1 == 2, "it is broken"
"""


def test_a_good_run_ends_with_0_and_says_so(run: Run) -> None:
    ran = run(GOOD)
    assert ran.code == 0
    assert ran.verdicts == {"X1/all-is-well": "pass"}
    assert "1 pass" in ran.said


def test_a_failed_check_shows_reason_and_remedy_once(run: Run) -> None:
    ran = run(GOOD + BAD)
    assert ran.code == 1
    assert ran.verdicts["X2/it-is-broken"] == "fail"
    assert ran.results[1]["reason"] == "it is broken"
    assert ran.said.count("it is broken") == 1
    assert "→ fix it" in ran.said
    assert "short test summary" not in ran.said


@pytest.mark.parametrize("how", ["skipped('no such part')", "pytest.skip('no such part')"])
def test_a_required_check_cannot_be_skipped(run: Run, how: str) -> None:
    ran = run(f"{GOOD}\n@check('I1', **RULE)\ndef test_it_is_there(): {how}\n")
    assert ran.code == 1
    assert ran.verdicts["I1/it-is-there"] == "fail"
    assert "a required check cannot be skipped: no such part" in ran.said


def test_a_check_that_is_not_required_may_be_skipped(run: Run) -> None:
    ran = run(
        f"{GOOD}\n@check('I1', required=False, **RULE)\ndef test_it_is_there(): skipped('no such part')\n"
    )
    assert ran.code == 0
    assert ran.verdicts["I1/it-is-there"] == "skipped"


def test_what_is_not_declared_is_not_evaluated_and_no_failure(run: Run) -> None:
    ran = run(f"{GOOD}\n@check('X9', **RULE)\ndef test_uploads(): not_evaluated('declare [checks.upload]')\n")
    assert ran.code == 0
    assert ran.verdicts["X9/uploads"] == "not evaluated"
    assert "declare [checks.upload]" in ran.said


def test_a_run_that_proved_nothing_has_failed(run: Run) -> None:
    ran = run("@check('X9', **RULE)\ndef test_uploads(): not_evaluated('declare it')\n")
    assert ran.code == 1
    assert "Nothing was proved" in ran.said


def test_zero_collected_is_a_failure_and_leaves_no_old_results(run: Run) -> None:
    assert run(GOOD).verdicts
    ran = run(GOOD, "--host", "web1")
    assert ran.code != 0
    assert "Nothing was proved: no check ran" in ran.said
    assert ran.results == []


def test_a_setup_that_breaks_counts_once(run: Run) -> None:
    ran = run(
        "@pytest.fixture\ndef part(): raise ConnectionError('connection refused')\n"
        "@check('X1', **RULE)\ndef test_it(part): pass\n"
    )
    assert ran.code == 1
    assert [each["reason"] for each in ran.results] == ["ConnectionError: connection refused"]


def test_a_teardown_that_breaks_makes_it_a_failure_and_counts_once(run: Run) -> None:
    ran = run(
        "@pytest.fixture\ndef part():\n    yield\n    raise OSError('still there')\n"
        "@check('X1', **RULE)\ndef test_it(part): pass\n"
    )
    assert ran.code == 1
    assert [each["verdict"] for each in ran.results] == ["fail"]


def test_what_would_disturb_users_waits_for_invasive(run: Run) -> None:
    source = f"{GOOD}\n@check('S4', invasive=True, **RULE)\ndef test_a_host_goes_down(): pass\n"
    assert run(source).verdicts["S4/a-host-goes-down"] == "not evaluated"
    assert run(source, "--invasive").verdicts["S4/a-host-goes-down"] == "pass"


def test_a_secret_is_in_no_report_whatever_the_check_does_with_it(run: Run) -> None:
    ran = run(
        f"""
SECRET = "{CANARY}"
@check("X1", **RULE)
def test_message(): assert False, f"got {{SECRET}}"
@check("X2", **RULE)
def test_comparison(): assert SECRET == "other"
@check("X3", **RULE)
def test_accident(): raise RuntimeError(SECRET)
@check("X4", **RULE)
def test_output():
    print(SECRET)
    assert False
@check("X5", **RULE)
def test_reason(): not_evaluated(SECRET)
@check("X6", required=False, **RULE)
def test_skip(): skipped(SECRET)
""",
        "-rA",
        "--tb=long",
        "--junitxml=plain.xml",
    )
    assert ran.code == 1
    assert len(ran.results) == 6
    assert CANARY not in ran.said
    files = [*ran.folder.iterdir(), ran.folder.parent / "plain.xml"]
    assert {file.name for file in files} >= {
        "results.json",
        "junit.xml",
        "report.html",
        "history.jsonl",
        "plain.xml",
    }
    assert [file.name for file in files if CANARY in file.read_text()] == []
    assert "***" in (ran.folder / "report.html").read_text()


def test_the_words_of_a_check_come_without_what_pytest_adds() -> None:
    assert reason_of(AssertionError("it is 3\nassert 3 == 4\n  where 3 = f()"), "long") == "it is 3"
    assert reason_of(AssertionError("assert 3 == 4"), "long") == "assert 3 == 4"
    assert reason_of(ValueError("odd"), "long") == "ValueError: odd"


@pytest.mark.parametrize(
    ("outcome", "error", "required", "verdict"),
    [
        ("passed", None, True, "pass"),
        ("failed", AssertionError("x"), True, "fail"),
        ("skipped", pytest.skip.Exception("x"), True, "fail"),
        ("skipped", pytest.skip.Exception("x"), False, "skipped"),
        ("skipped", NotEvaluated("x"), True, "not evaluated"),
    ],
)
def test_judging(outcome: str, error: BaseException | None, required: bool, verdict: str) -> None:
    assert judge(outcome, error, required=required)[0] == verdict
