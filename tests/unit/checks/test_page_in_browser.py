"""The page of the checks as people see it, in Chromium."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from checks.kit.check import Verdict
from checks.kit.report import page
from checks.kit.results import Result, Run, remember
from tests.browser import WINDOWS, Page

VISIBLE = "[...document.querySelectorAll('[data-verdict].line')].filter((row) => row.offsetHeight > 0)"
EMPTY = """[...document.querySelectorAll("section")].filter(
  (each) => each.offsetHeight > 0 && !each.querySelector(".line:not([hidden])")
).length"""
REMEDIES = """[...document.querySelectorAll(".line[data-verdict=pass] .remedy")].filter(
  (each) => each.checkVisibility()
).length"""
NASTY = '<img src=x onerror="document.title=1">'


def result(row: str, title: str, verdict: Verdict, *, host: str = "", reason: str = "") -> Result:
    return Result(
        id=f"{row}/{title.replace(' ', '-')}",
        rows=(row,),
        title=title,
        severity="high",
        verdict=verdict,
        host=host,
        reason=reason,
        why="a reason that a person understands",
        remedy="slipway up --stack preview",
        asvs="3.4.1",
        seconds=0.12,
    )


def run_of(number: int) -> Run:
    failed: Verdict = "fail" if number == 3 else "pass"
    return Run(
        stack="preview",
        url="https://preview.example.com",
        release=7,
        started=datetime(2026, 1, 5, tzinfo=UTC) + timedelta(days=number),
        seconds=17.2,
        results=[
            *(result("P8", "no log holds a secret", "pass", host=host) for host in ("edge", "web1", "web2")),
            result("X1", "HSTS covers a year", failed, reason=f"max-age is 60 {NASTY} {'a' * 300}"),
            result(
                "X9", "an upload over the limit is refused", "not evaluated", reason="declare [checks.upload]"
            ),
            result("I1", "two web hosts serve", "pass"),
        ],
    )


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    for number in (1, 2):
        remember(run_of(number), folder / "history.jsonl")
    run = run_of(3)
    file = folder / "report.html"
    file.write_text(page(run, remember(run, folder / "history.jsonl")))
    return file


@pytest.mark.parametrize(("width", "dark"), WINDOWS)
def test_it_fits_every_window_and_neither_complains_nor_asks_for_anything(
    tab: Page, file: Path, width: int, dark: bool
) -> None:
    assert tab.height_in(file, width, dark=dark, picture="checks") > 500


def test_the_first_thing_seen_is_the_verdict_and_then_what_failed(tab: Page, file: Path) -> None:
    tab.open(file)
    assert tab.value("document.querySelector('h1').innerText") == "preview: 1 failed"
    first = tab.value(f"{VISIBLE}[0].innerText")
    assert "HSTS covers a year" in first
    assert "max-age is 60" in first, "the reason is seen without a click"
    assert "slipway up --stack preview" in first
    assert tab.value(f"{VISIBLE}[0].getBoundingClientRect().top") < 900


def test_a_button_shows_the_checks_of_its_verdict_and_all_again(tab: Page, file: Path) -> None:
    tab.open(file)
    every = tab.value(f"{VISIBLE}.length")
    assert every == 4, "one line a check, on however many hosts it runs"
    for verdict in ("fail", "pass", "not evaluated"):
        button = f"button[data-verdict='{verdict}']"
        tab.click(button)
        shown = tab.value(f"{VISIBLE}.map((row) => row.dataset.verdict)")
        assert set(shown) == {verdict}
        assert len(shown) == int(tab.value(f'document.querySelector("{button} b").innerText'))
        assert tab.value(EMPTY) == 0, "headings without a row"
    tab.click("button[data-verdict='not evaluated']")
    assert tab.value(f"{VISIBLE}.length") == every


def test_a_verdict_that_nothing_has_is_no_button_to_press(tab: Page, file: Path) -> None:
    tab.open(file)
    assert tab.value("document.querySelector(\"button[data-verdict='skipped']\").disabled") is True


def test_a_check_that_passed_tells_why_it_is_there_at_a_click(tab: Page, file: Path) -> None:
    tab.open(file)
    assert tab.value(REMEDIES) == 0
    tab.click(".line[data-verdict=pass] summary")
    assert tab.value(REMEDIES) == 1


def test_what_a_server_said_is_text_and_never_runs(tab: Page, file: Path) -> None:
    tab.open(file)
    assert tab.value("document.images.length") == 0
    assert NASTY in tab.value("document.querySelector('.reason').innerText")


def test_earlier_runs_are_shown(tab: Page, file: Path) -> None:
    tab.open(file)
    assert tab.value("document.querySelectorAll('svg.past g').length") == 3
    assert "1 failed (X1/HSTS-covers-a-year)" in tab.value(
        "[...document.querySelectorAll('svg.past title')].at(-1).textContent"
    )
