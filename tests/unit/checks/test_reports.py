"""JUnit and history."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree as Xml

from checks.kit.check import Verdict
from checks.kit.report import junit
from checks.kit.results import KEPT, Result, Run, remember


def result(name: str, verdict: Verdict, reason: str = "", host: str = "") -> Result:
    return Result(
        id=f"X1/{name}", rows=("X1",), title=name, severity="high", verdict=verdict, host=host, reason=reason,
        remedy="fix it",
    )  # fmt: skip


def run_of(*results: Result) -> Run:
    return Run(stack="s", url="https://s", started=datetime.now(UTC), seconds=1.0, results=list(results))


def test_junit_has_failures_with_their_remedy_and_what_was_not_evaluated() -> None:
    finished = run_of(
        result("a", "pass"),
        result("b", "fail", "it <broke>", "web1"),
        result("c", "not evaluated", "declare it"),
    )
    suite = Xml.fromstring(junit(finished))
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("3", "1", "1")
    cases = {case.get("name"): case for case in suite}
    failure = cases["b[web1]"].find("failure")
    assert failure is not None
    assert failure.get("message") == "it <broke>"
    assert "remedy: fix it" in (failure.text or "")
    skipped = cases["c"].find("skipped")
    assert skipped is not None
    assert skipped.get("message") == "not evaluated: declare it"


def test_history_keeps_the_newest_and_drops_what_it_cannot_read(tmp_path: Path) -> None:
    file = tmp_path / "history.jsonl"
    file.write_text("no json\n")
    finished = run_of(result("a", "fail", "x"), result("b", "pass"))
    past = [remember(finished, file) for _ in range(KEPT + 3)][-1]
    assert len(past) == KEPT
    assert past[-1].failed == ["X1/a"]
    assert len(file.read_text().splitlines()) == KEPT
