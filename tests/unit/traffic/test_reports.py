"""Each report tells what was missed, and none of them can be broken or fooled by what a server said."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest
from hypothesis import example, given, settings, strategies as st

from slipway.reports import read_runs
from slipway.settings import Load
from slipway.traffic.report.chart import linear_scale, log_scale
from slipway.traffic.report.ci import junit, markdown
from slipway.traffic.report.history import Past, changes, past_of, remember
from slipway.traffic.report.html import page, write_reports
from slipway.traffic.results import ExitCode, RunResult, result_of
from slipway.traffic.samples import Samples
from slipway.traffic.thresholds import Plan
from slipway.traffic.time_series import MOST_POINTS, points_of
from tests.unit.traffic import reported
from tests.unit.traffic.a_run import START, seconds


def test_junit_has_a_case_for_each_threshold_and_one_for_the_run() -> None:
    suite = Xml.fromstring(junit(reported.run()))
    failed = {case.get("name"): case for case in suite if case.find("failure") is not None}
    assert set(failed) == {"run", "GET /api/tasks p95", "POST /api/tasks samples"}
    assert suite.get("failures") == "3"
    assert suite.get("tests") == str(len(suite))
    told = failed["GET /api/tasks p95"].find("failure")
    assert told is not None
    assert "at most 40 ms" in str(told.get("message"))


def test_junit_of_a_run_without_any_data_is_red() -> None:
    run = reported.run().model_copy(update={"thresholds": [], "exit_code": ExitCode.NO_DATA})
    assert Xml.fromstring(junit(run)).get("failures") == "1"


def test_the_summary_begins_with_what_was_missed() -> None:
    lines = markdown(reported.run(), []).splitlines()
    assert lines[0] == "### preview: expected load **failed**"
    assert lines[2].startswith("Exit code 1: a threshold is missed. 75 s, release 7, ")
    assert "| fail | HTTP GET /api/tasks | p95 |" in lines[6]
    assert "| no data | HTTP POST /api/tasks | samples | none | at least 5 |" in lines


def test_the_summary_cannot_be_broken_by_a_name() -> None:
    samples = seconds(Samples(), 30, name="GET /a|b<script>`x`\n| pass |")
    run = result_of(samples, Load(), Plan(START), stack="s", profile="smoke", stopped=START + 30)
    rows = [line for line in markdown(run, []).splitlines() if "script" in line]
    assert len(rows) == 1
    assert "<script>" not in rows[0]
    assert rows[0].replace("\\|", "").count("|") == 9


def test_the_page_is_whole_and_what_servers_said_is_text() -> None:
    text = page(reported.run(), [])
    assert "<img" not in text
    assert "&lt;img src=x" in text
    assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")  # nothing is fetched from anywhere
    for asked in ("src=", "@import", "url("):
        assert asked not in text.replace("&lt;img src=x", "")


def test_json_is_read_back_as_the_same_run() -> None:
    run = reported.run()
    assert RunResult.model_validate_json(run.model_dump_json()) == run


def test_all_reports_are_written_and_ci_gets_its_summary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "ci.md"))
    (tmp_path / "ci.md").write_text("before\n")
    files = write_reports(reported.run(), reported.samples(), tmp_path / "load")
    assert all(file.stat().st_size > 100 for file in files)
    assert (tmp_path / "ci.md").read_text().startswith("before\n### preview: expected load **failed**\n")
    again = Samples.from_json(json.loads((tmp_path / "load" / "samples.json").read_text()))
    assert again.to_json() == reported.samples().to_json()
    assert not list((tmp_path / "load").glob("*.new"))


def test_the_history_has_what_the_checks_read_and_compares_within_a_profile(tmp_path: Path) -> None:
    file = tmp_path / "history.jsonl"
    good, bad = reported.run(1, troubled=False, load=Load()), reported.run(3)
    assert [each.passed for each in remember(good, file)] == [True]
    smoke = good.model_copy(update={"profile": "smoke"})
    assert [each.profile for each in remember(smoke, file)] == ["smoke"]
    past = remember(bad, file)
    assert [(each.profile, each.passed) for each in past] == [("expected", True), ("expected", False)]
    written = [json.loads(line) for line in file.read_text().splitlines()]
    assert [(each["profile"], each["passed"]) for each in written] == [
        ("expected", True),
        ("smoke", True),
        ("expected", False),
    ]
    assert written[0]["started"] == pytest.approx(reported.START)


def test_a_broken_line_of_the_history_is_let_go(tmp_path: Path) -> None:
    file = tmp_path / "history.jsonl"
    remember(reported.run(), file)
    file.write_text("half a li\n" + file.read_text())
    assert len(read_runs(file, Past)) == 1


def before_and_now(ms: float, error: str | None = None) -> tuple[Past, Past]:
    def made(samples: Samples) -> Past:
        return past_of(
            result_of(samples, Load(), Plan(START), stack="s", profile="smoke", stopped=START + 30)
        )

    return made(seconds(Samples(), 30, ms=50)), made(seconds(Samples(), 30, ms=ms, error=error))


@pytest.mark.parametrize(
    ("ms", "error", "direction"),
    [
        (52, None, ""),
        (80, None, "slower"),
        (30, None, "faster"),
        (50, "503", "more errors"),
    ],
)
def test_only_notable_changes_are_told(ms: float, error: str | None, direction: str) -> None:
    (change,) = changes(*before_and_now(ms, error))
    assert change.direction == direction
    before, now = before_and_now(ms, error)
    (back,) = changes(now, before)
    assert (back.direction == "") is (direction == "")


def test_what_is_gone_or_new_is_told() -> None:
    before = past_of(reported.run(1))
    now = before.model_copy(update={"requests": before.requests[1:]})
    assert "gone" in {each.direction for each in changes(before, now)}
    assert "new" in {each.direction for each in changes(now, before)}


def test_a_long_run_has_few_points_and_all_of_its_peaks() -> None:
    samples = Samples()
    for second in range(7200):
        samples.record("HTTP", "GET /", 900 if second == 5000 else 10, at=START + second)
    points = points_of(samples, START)
    assert len(points) <= MOST_POINTS + 1
    assert max(point.kinds["HTTP"].p99 or 0 for point in points) == pytest.approx(900, rel=0.01)
    assert sum(point.kinds["HTTP"].per_second for point in points) * 32 == pytest.approx(7200, rel=0.01)


def test_a_run_without_any_data_still_has_all_reports(tmp_path: Path) -> None:
    empty = result_of(Samples(), Load(), Plan(START), stack="s", profile="smoke", stopped=START)
    files = write_reports(empty, Samples(), tmp_path)
    assert "No data, or too little of it" in files[0].read_text()


@settings(max_examples=200)
@example([5e-324], [], False)
@given(st.lists(st.floats(0, 1e6), max_size=8), st.lists(st.floats(0.1, 1e5), max_size=2), st.booleans())
def test_every_value_and_limit_is_on_the_axis(values: list[float], limits: list[float], log: bool) -> None:
    scale = (log_scale if log else linear_scale)(values, limits)
    assert all(-0.001 <= scale.share(each) <= 1.001 for each in [*values, *limits])
    assert scale.ticks == tuple(sorted(scale.ticks))
    assert 2 <= len(scale.ticks) <= 12
