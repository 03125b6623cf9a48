"""The summary of a run of the checks on a CI job's page."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from checks.kit.report import markdown, write_reports
from checks.kit.results import Result, Run


def result(verdict: str, **more: str) -> Result:
    given = {"id": "X3/docs-are-hidden", "rows": ["X3"], "title": "docs are hidden", "severity": "high"}
    more_fields = {"remedy": "hide | them"}
    return Result.model_validate({**given, **more_fields, "verdict": verdict, **more})


def run(*results: Result) -> Run:
    return Run(
        stack="prod",
        url="https://x",
        release=7,
        started=datetime.now(UTC),
        seconds=12.0,
        results=list(results),
    )


def test_what_failed_stands_first_and_no_text_breaks_the_table() -> None:
    text = markdown(run(result("pass"), result("fail", host="web1", reason="GET /docs says <b>200</b> | ok")))
    assert "prod: checks **failed**" in text
    row = next(line for line in text.splitlines() if "docs-are-hidden" in line)
    assert row.count(" | ") == 4
    assert "web1" in row
    assert "<b>" not in row
    assert "1 fail" in text
    assert "release 7" in text


def test_a_run_without_a_failure_has_no_table() -> None:
    text = markdown(run(result("pass")))
    assert "checks passed" in text
    assert "| check |" not in text


def test_each_run_of_a_ci_job_is_added_to_its_summary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("what came before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    write_reports(run(result("fail")), tmp_path / "checks")
    assert summary.read_text().startswith("what came before\n")
    assert "prod: checks **failed**" in summary.read_text()
