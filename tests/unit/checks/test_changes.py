"""What changed since an earlier run, in the reports, with --since-release and with --watch."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from checks.kit.check import Verdict
from checks.kit.report import changes_in_words, lines_of
from checks.kit.results import Past, Result, Run, compared
from checks.kit.sarif import sarif
from slipway.checking import Checked, watch
from tests.unit.checks.conftest import Ran

START = datetime(2026, 1, 1, tzinfo=UTC)


def result(
    name: str, verdict: Verdict, *, host: str = "", reason: str = "", severity: str = "high"
) -> Result:
    given = {"id": f"X2/{name}", "rows": ["X2"], "title": name, "severity": severity, "verdict": verdict}
    return Result.model_validate(
        {**given, "host": host, "reason": reason, "remedy": "fix it", "asvs": "3.4.1"}
    )


def run_of(*results: Result, release: int = 7, selection: str = "") -> Run:
    return Run(
        stack="prod", url="https://x", release=release, started=START, seconds=1, results=list(results),
        selection=selection, settings="app/slipway.toml",
    )  # fmt: skip


def past(*failed: str, release: int = 7, selection: str = "", hours: int = 0) -> Past:
    return Past(
        started=START + timedelta(hours=hours), seconds=1, release=release, counts={"pass": 1},
        failed=[f"X2/{each}" for each in failed], selection=selection,
    )  # fmt: skip


def test_changes_are_those_since_the_last_run_of_the_same_selection() -> None:
    now = run_of(result("a", "fail"), result("b", "pass"), result("c", "fail"))
    changes = compared(now, [past("b", "c"), past("a", selection="--only X9", hours=1)]).changes
    assert (changes.failed, changes.repaired) == (("X2/a",), ("X2/b",))
    assert changes.since == START
    first = compared(now, [past("a", selection="--only X9")])
    assert first.changes.since is None
    assert changes_in_words(first) == []


def test_what_was_not_tried_again_is_not_repaired() -> None:
    now = run_of(
        result("a", "could not be tried"), result("b", "pass", host="web1"), result("b", "fail", host="web2")
    )
    assert compared(now, [past("a", "b")]).changes.repaired == ()


def test_what_failed_before_the_release_does_not_count_with_since_release() -> None:
    now = run_of(result("a", "fail"), result("b", "pass"), release=8)
    before = [past("a", release=7), past("a", release=8, hours=1)]
    assert not compared(now, before).good
    compared_with_7 = compared(now, before, since_release=True)
    assert compared_with_7.good
    assert compared_with_7.older == ("X2/a",)
    assert not compared(now, [past(release=7), *before[1:]], since_release=True).good, "release 7 was green"
    assert not compared(now, before[1:], since_release=True).good, "no run of an earlier release is known"


def test_since_release_decides_the_exit_code(run: Callable[..., Ran]) -> None:
    bad = "@check('X2', **RULE)\ndef test_bad(): assert False, 'no'\n"
    source = f"@check('X1', **RULE)\ndef test_good(): pass\n{bad}"
    assert run(source).code == 1
    newer = "Live.release = 8"
    ran = run(source, "--since-release", also=newer)
    assert ran.code == 0, ran.said
    assert "Failed before release 8 too, and not counted: X2/bad" in ran.said
    assert run(source, also=newer).code == 1


def test_a_check_is_one_line_with_its_hosts_and_the_worst_severity_comes_first() -> None:
    results = [
        result("a", "pass", host="edge"),
        *(result("a", "fail", host=host, reason="no") for host in ("web2", "web1")),
        result("a", "fail", host="data1", reason="other"),
        result("b", "fail", severity="critical", reason="bad"),
        result("c", "could not be tried", severity="critical"),
        result("d", "pass", severity="critical"),
    ]
    lines = lines_of(results)
    assert [line.check.id for line in lines] == ["X2/b", "X2/a", "X2/c", "X2/d"]
    assert lines[1].reasons == (("web2, web1", "no"), ("data1", "other"))
    assert [each.host for each in lines[1].hosts] == ["data1", "edge", "web1", "web2"]
    assert run_of(*results).counts["fail"] == 2


def test_sarif_has_a_rule_for_each_check_and_a_result_for_each_failure() -> None:
    results = [
        *(result("a", "fail", host=host, reason="no") for host in ("web1", "web2")),
        result("b", "waived", reason="known (accepted until 2027-01-31: x)"),
        result("c", "pass"),
        result("d", "could not be tried", reason="no site"),
    ]
    document = json.loads(sarif(run_of(*results)))
    assert document["version"] == "2.1.0"
    [run] = document["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["X2/a", "X2/b"]
    assert rules[0]["properties"]["security-severity"] == "8.0"
    assert [(each["ruleId"], each["ruleIndex"], each["level"]) for each in run["results"]] == [
        ("X2/a", 0, "error"), ("X2/a", 0, "error"), ("X2/b", 1, "error"),
    ]  # fmt: skip
    assert run["results"][0]["message"]["text"] == "web1: no\nRemedy: fix it"
    place = run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]
    assert place == {"uri": "app/slipway.toml"}
    prints = {json.dumps(each["partialFingerprints"]) for each in run["results"]}
    assert len(prints) == 3, "GitHub tells results apart by their fingerprint"
    assert run["results"][2]["suppressions"][0]["status"] == "accepted"
    assert run["invocations"][0]["executionSuccessful"] is False
    assert "no site" in run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"]


def checked(folder: Path, code: int, *results: Result) -> Checked:
    folder.mkdir()
    (folder / "results.json").write_text(run_of(*results).model_dump_json())
    return Checked(folder, code)


def test_watch_says_what_turns_red_and_green_and_ends_with_the_last_code(tmp_path: Path) -> None:
    good_a, good_b = result("a", "pass"), result("b", "pass")
    bad_a, bad_b = result("a", "fail", reason="broken"), result("b", "fail", reason="too")
    runs = iter(
        [
            checked(tmp_path / "1", 0, good_a, good_b),
            checked(tmp_path / "2", 1, bad_a, good_b),
            checked(tmp_path / "3", 1, bad_a, bad_b),
            checked(tmp_path / "4", 0, good_a, good_b),
        ]
    )
    said: list[str] = []
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 4:
            raise KeyboardInterrupt

    assert watch(lambda: next(runs), 30, said.append, pause=pause) == 0
    assert pauses == [30] * 4
    text = "\n".join(said)
    assert text.count("red    X2/a: broken") == 1
    assert text.count("red    X2/b: too") == 1
    assert said[-2:] == ["  green  X2/a", "  green  X2/b"]


def test_watch_ends_at_once_if_the_checks_cannot_start(tmp_path: Path) -> None:
    with pytest.raises(StopIteration):
        watch(lambda: next(iter(())), 5, print, pause=lambda _: None)
    assert watch(lambda: Checked(tmp_path, 2), 5, print, pause=lambda _: None) == 2
