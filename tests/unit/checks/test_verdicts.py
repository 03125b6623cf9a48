"""Verdicts, exit codes and redaction, as a person and a pipeline see them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import httpx
import pytest
import testinfra

from checks.kit.check import Check, CouldNotBeTried, NotEvaluated, Verdict, why_not
from checks.kit.matrix import all_checks
from checks.kit.on_host import read_by
from checks.kit.plugin import followed
from checks.kit.results import Result
from checks.kit.roots import ROOTS
from checks.kit.verdicts import judge, reason_of, weigh
from slipway.settings.checks import Waiver
from tests.unit.checks.conftest import CANARY, Ran

Run = Callable[..., Ran]
GOOD = """
@check("X1", **RULE)
def test_all_is_well(): pass
"""
COULD_NOT_RUN = 5
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
    assert ran.code == COULD_NOT_RUN
    assert "Nothing was proved" in ran.said


def test_zero_collected_is_a_failure_and_leaves_no_old_results(run: Run) -> None:
    assert run(GOOD).verdicts
    ran = run(GOOD, "--host", "web1")
    assert ran.code != 0
    assert "Nothing was proved: no check ran" in ran.said
    assert ran.results == []


def test_what_a_check_needs_is_not_there_so_it_could_not_be_tried(run: Run) -> None:
    ran = run(
        GOOD + "@pytest.fixture\ndef part(): raise ConnectionRefusedError('no')\n"
        "@check('X2', **RULE)\ndef test_it(part): pass\n"
    )
    assert ran.code == COULD_NOT_RUN
    assert ran.verdicts["X2/it"] == "could not be tried"
    assert ran.results[1]["reason"] == "what it needs is not there: it accepts no connection"


def test_a_failure_outweighs_what_could_not_be_tried(run: Run) -> None:
    source = "from checks.kit.check import could_not_be_tried\n@check('X3', **RULE)\n"
    ran = run(GOOD + BAD + source + "def test_it(): could_not_be_tried('no site', 'S2/the-site-answers')\n")
    assert ran.code == 1
    assert ran.verdicts["X3/it"] == "could not be tried"
    assert "no site (see S2/the-site-answers)" in ran.said


def test_a_fixture_that_several_checks_share_fails_once(run: Run) -> None:
    ran = run(
        "@pytest.fixture(scope='session')\ndef part(): assert False, 'the part is broken'\n"
        "@check('X1', **RULE)\ndef test_one(part): pass\n"
        "@check('X2', **RULE)\ndef test_two(part): pass\n"
        "@check('X3', **RULE)\ndef test_three(part): pass\n"
    )
    assert ran.code == 1
    assert ran.verdicts == {
        "X1/one": "fail", "X2/two": "could not be tried", "X3/three": "could not be tried"
    }  # fmt: skip
    assert ran.results[2]["reason"] == "the part is broken (see X1/one)"


def test_an_accepted_failure_is_waived_shown_and_runs_out(run: Run) -> None:
    also = "Live.app.checks = Checks(accepted={'X2/it-is-broken': 'known for long, until 2999-12-31'})"
    ran = run(GOOD + BAD, also=also)
    assert ran.code == 0
    assert ran.verdicts["X2/it-is-broken"] == "waived"
    assert "it is broken (accepted until 2999-12-31: known for long)" in ran.said
    assert "1 waived" in ran.said
    ran = run(GOOD + BAD, also=also.replace("2999-12-31", "2020-01-31"))
    assert ran.code == 1
    assert ran.verdicts["X2/it-is-broken"] == "fail"
    assert "it was accepted until 2020-01-31: known for long" in ran.said


def test_what_is_accepted_counts_through_its_last_day() -> None:
    check = Check(("X2",), "it is broken", "high", "", "")
    waivers = {"X2/it-is-broken": Waiver("known", date(2027, 1, 31))}
    assert weigh(check, "fail", "no", waivers, date(2027, 1, 31))[0] == "waived"
    assert weigh(check, "fail", "no", waivers, date(2027, 2, 1))[0] == "fail"
    assert weigh(check, "pass", "", waivers, date(2027, 1, 1)) == ("pass", "")
    assert weigh(check, "could not be tried", "x", waivers, date(2027, 1, 1))[0] == "could not be tried"


def test_the_roots_that_checks_stand_on_are_checks_themselves() -> None:
    assert set(ROOTS) <= {check.id for check in all_checks()}


@pytest.mark.parametrize(
    ("deep", "invasive", "production", "runs"),
    [(0, 0, 0, 0), (1, 0, 0, 1), (1, 0, 1, 0), (1, 1, 1, 1), (0, 1, 1, 0)],
)
def test_a_deep_check_runs_when_it_may(deep: bool, invasive: bool, production: bool, runs: bool) -> None:
    check = Check(("X5",), "scanners find nothing", "high", "", "", deep=True)
    assert (not why_not(check, deep=deep, invasive=invasive, production=production)) == bool(runs)


def test_in_production_a_deep_check_also_needs_invasive(run: Run) -> None:
    source = f"{GOOD}\n@check('X5', deep=True, **RULE)\ndef test_scanners(): pass\n"
    production = "Live.stack.purpose = 'production'"
    assert run(source).verdicts["X5/scanners"] == "not evaluated"
    assert run(source, "--deep").verdicts["X5/scanners"] == "pass"
    ran = run(source, "--deep", also=production)
    assert ran.verdicts["X5/scanners"] == "not evaluated"
    assert "--invasive" in ran.said
    assert run(source, "--deep", "--invasive", also=production).verdicts["X5/scanners"] == "pass"


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
    assert reason_of(ValueError("odd"), "long") == "the check itself ended with ValueError: odd"


def test_words_of_pytest_and_testinfra_are_put_into_plain_ones() -> None:
    with pytest.raises(pytest.fail.Exception) as not_raised, pytest.raises(ValueError, match="never"):
        pass
    assert reason_of(not_raised.value, "") == "it was accepted, and should have been refused"
    with pytest.raises(AssertionError) as unexpected:
        testinfra.get_host("local://").check_output("ls /no/such/folder")
    said = reason_of(unexpected.value, "")
    assert said.startswith("`ls /no/such/folder` ended with 2: ls: cannot access")
    assert "CommandResult" not in said


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (httpx.ConnectError("[Errno 111]"), "it accepts no connection"),
        (httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] x"), "its certificate is not trusted"),
        (httpx.ReadTimeout(""), "no answer came in time"),
        (httpx.RemoteProtocolError("x"), "the connection was closed without an answer"),
        (ConnectionResetError(), "the connection was closed without an answer"),
        (TimeoutError(), "no answer came in time"),
    ],
)
def test_errors_of_connections_are_sentences(error: Exception, words: str) -> None:
    assert reason_of(error, "") == words


@pytest.mark.parametrize(
    ("outcome", "error", "required", "verdict"),
    [
        ("passed", None, True, "pass"),
        ("failed", AssertionError("x"), True, "fail"),
        ("skipped", pytest.skip.Exception("x"), True, "fail"),
        ("skipped", pytest.skip.Exception("x"), False, "skipped"),
        ("skipped", NotEvaluated("x"), True, "not evaluated"),
        ("skipped", CouldNotBeTried("x"), True, "could not be tried"),
    ],
)
def test_judging(outcome: str, error: BaseException | None, required: bool, verdict: str) -> None:
    assert judge(outcome, error, required=required)[0] == verdict


def test_a_program_that_fails_on_a_host_is_named_by_its_last_line() -> None:
    with pytest.raises(AssertionError) as raised:
        read_by(testinfra.get_host("local://"), "open('/no/such')")
    said = reason_of(raised.value, "")
    assert said.startswith("what is on the host could not be read: FileNotFoundError: ")
    assert said.endswith("directory: '/no/such'")


def test_what_could_not_be_tried_names_the_failure_at_the_end_of_the_chain() -> None:
    def result(check: str, verdict: Verdict, reason: str = "") -> Result:
        return Result(
            id=check, rows=("S2",), title=check, severity="high", verdict=verdict, reason=reason
        )  # fmt: skip

    found = followed(
        [
            result("S8/haproxy-runs", "could not be tried", "it does not answer (see I3/the-set-up)"),
            result("I3/the-set-up", "pass"),
            result("I3/the-set-up", "could not be tried", "no connection (see S2/the-site)"),
            result("S2/the-site", "fail", "no connection"),
            result("X1/in-a-ring", "could not be tried", "a (see X2/in-a-ring)"),
            result("X2/in-a-ring", "could not be tried", "b (see X1/in-a-ring)"),
        ]
    )
    assert [each.reason for each in found[:4]] == [
        "it does not answer (see S2/the-site)", "", "no connection (see S2/the-site)", "no connection",
    ]  # fmt: skip
    assert {each.verdict for each in found[4:]} == {"could not be tried"}
