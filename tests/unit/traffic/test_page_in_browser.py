"""The page of a load run as people see it, in Chromium."""

from __future__ import annotations

from pathlib import Path

import pytest

from slipway.settings import Load
from slipway.traffic.report.history import past_of
from slipway.traffic.report.html import page
from tests.browser import WINDOWS, Page
from tests.unit.traffic import reported

VISIBLE = "[...document.querySelectorAll('#thresholds tbody tr')].filter((row) => row.offsetHeight > 0)"
CONTRASTS = """(() => {
  const linear = (each) => (each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4);
  const light = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map((each) => linear(each / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = light(getComputedStyle(document.body).backgroundColor);
  const verdicts = ["fail", "no-data", "pass", "not-judged"].map((each) => `td.verdict.${each}`);
  return Object.fromEntries(["h1", "h1 span", ".dim", ...verdicts].map((selector) => {
    const text = light(getComputedStyle(document.querySelector(selector)).color);
    return [selector, (Math.max(text, ground) + 0.05) / (Math.min(text, ground) + 0.05)];
  }));
})()"""
CHARTS = """[...document.querySelectorAll("svg.chart")].map((chart) => {
  const frame = chart.getBoundingClientRect();
  const inside = [...chart.querySelectorAll("path, text")].every((each) => {
    const { left, right, top, bottom } = each.getBoundingClientRect();
    const across = left >= frame.left - 1 && right <= frame.right + 1;
    return across && top >= frame.top - 1 && bottom <= frame.bottom + 1;
  });
  return {
    inside,
    title: chart.closest("figure").querySelector("figcaption").firstChild.textContent,
    height: frame.height,
    lines: chart.querySelectorAll("path").length,
    annotations: chart.querySelectorAll("line.mark").length,
    limits: chart.querySelectorAll("line.limit").length,
    stroke: getComputedStyle(chart.querySelector("path")).stroke,
  };
})"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = reported.run(3)
    past = [past_of(reported.run(seed, troubled=False, load=Load())) for seed in (1, 2)]
    file = tmp_path_factory.mktemp("page") / "report.html"
    file.write_text(page(run, [*past, past_of(run)]))
    return file


@pytest.mark.parametrize(("width", "dark"), WINDOWS)
def test_it_fits_every_window_and_neither_complains_nor_asks_for_anything(
    tab: Page, file: Path, width: int, dark: bool
) -> None:
    assert tab.height_in(file, width, dark=dark, picture="load") > 2000


@pytest.mark.parametrize("dark", [False, True])
def test_text_can_be_read_on_its_ground(tab: Page, file: Path, dark: bool) -> None:
    """WCAG 2.2, 1.4.3: a contrast of at least 4.5."""
    tab.open(file, dark=dark)
    contrasts = tab.value(CONTRASTS)
    assert {selector: ratio for selector, ratio in contrasts.items() if ratio < 4.5} == {}


def test_the_first_thing_seen_is_the_verdict_and_then_what_was_missed(tab: Page, file: Path) -> None:
    tab.open(file)
    assert tab.value("document.querySelector('h1').innerText") == "preview: expected load failed"
    assert tab.value("document.title") == "preview: expected load, failed"
    first = tab.value(f"{VISIBLE}.slice(0, 2).map((row) => row.innerText.replace(/\\s+/g, ' '))")
    assert first[0].startswith("fail HTTP GET /api/tasks p95 ")
    assert first[1].startswith("no data HTTP POST /api/tasks samples none at least 5")
    assert tab.value("document.querySelector('#thresholds').getBoundingClientRect().top") < 900


def test_a_button_shows_the_findings_of_its_verdict_and_all_again(tab: Page, file: Path) -> None:
    tab.open(file)
    every = tab.value(f"{VISIBLE}.length")
    for verdict in ("fail", "pass", "not judged"):
        button = f"button[data-verdict='{verdict}']"
        tab.click(button)
        assert tab.value(f"document.querySelector(\"{button}\").getAttribute('aria-pressed')") == "true"
        shown = tab.value(f"{VISIBLE}.map((row) => row.dataset.verdict)")
        assert set(shown) == {verdict}
        assert len(shown) == int(tab.value(f'document.querySelector("{button} b").innerText'))
    tab.click("button[data-verdict='not judged']")
    assert tab.value(f"{VISIBLE}.length") == every


def test_every_chart_is_drawn_within_its_frame_with_marks_and_limits(tab: Page, file: Path) -> None:
    tab.open(file)
    charts = tab.value(CHARTS)
    titles = [chart["title"].strip() for chart in charts]
    assert titles == [
        "HTTP: time", "WS connect: time", "WS echo: time", "Rate", "Errors", "Open sockets", "Arrivals",
        "Load generator: processor", "Load generator: event loop lag",
    ]  # fmt: skip
    for chart in charts:
        assert chart["inside"], chart["title"]
        assert chart["height"] > 150
        assert chart["lines"] >= 1
        assert chart["annotations"] == 3
        assert chart["stroke"].startswith("rgb")
    assert [chart["limits"] for chart in charts[:3]] == [1, 1, 1]


def test_pointing_at_a_chart_tells_its_numbers(tab: Page, file: Path) -> None:
    tab.open(file)
    tab.point_at("svg.chart")
    told = tab.value("document.querySelector('.tip').innerText")
    assert told.splitlines()[0].endswith(" s")
    assert [line.split()[0] for line in told.splitlines()[1:]] == ["p99", "p95", "p50"]
    assert all(line.endswith(" ms") for line in told.splitlines()[1:])
    tab.point_at("h1")
    assert tab.value("document.querySelector('.tip')") is None


def test_what_a_server_said_is_text_and_never_runs(tab: Page, file: Path) -> None:
    tab.open(file)
    assert tab.value("document.images.length") == 0
    assert reported.NASTY in tab.value("document.querySelector('#errors + .wide').innerText")
    assert tab.value("document.title") != "1"


def test_the_run_before_is_beside_this_one(tab: Page, file: Path) -> None:
    tab.open(file)
    rows = tab.value(
        "[...document.querySelectorAll('#by-name tbody tr')].map((row) => row.innerText.split('\\t'))"
    )
    since = {(row[0], row[1]): row[-1] for row in rows}
    assert since["HTTP", "GET /api/tasks"] == "slower"
    assert since["WS connect", "/ws"] == "same"
    assert tab.value("document.querySelectorAll('svg.past rect').length") == 3
