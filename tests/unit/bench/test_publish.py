"""Numbers in the pages are those that benchmarks recorded."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.publish import fill, pages, read_lines, read_results, write_results
from bench.record import ROOT, Figure, shown


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_shows_what_was_measured(page: Path) -> None:
    text = page.read_text()
    assert fill(text, read_results()) == text, "run `python -m bench.publish`"


def test_the_readme_takes_its_speeds_from_the_benchmarks() -> None:
    text = (ROOT / "README.md").read_text()
    assert {"rollback.median", "release.change.median", "rollback.switch.median"} <= {
        name for name in read_results() if f"<!-- bench:{name} -->" in text
    }


def test_a_mark_is_filled_with_the_value_or_with_what_is_known_of_it() -> None:
    figures = {"a.b": Figure("a.b", 0.66, "s", "20 runs", "2026-01-02", "2 cores", {})}
    text = (
        "<!-- bench:a.b -->9 s<!-- /bench --> in <!-- bench:a.b@how --><!-- /bench -->, "
        "<!-- bench:a.b@date -->x<!-- /bench -->"
    )
    assert fill(text, figures) == (
        "<!-- bench:a.b -->0.66 s<!-- /bench --> in <!-- bench:a.b@how -->20 runs<!-- /bench -->, "
        "<!-- bench:a.b@date -->2026-01-02<!-- /bench -->"
    )


def test_a_figure_that_was_never_recorded_is_named() -> None:
    with pytest.raises(KeyError, match="nothing"):
        fill("<!-- bench:nothing -->1<!-- /bench -->", {})


def test_what_a_benchmark_prints_with_json_is_what_publish_reads(tmp_path: Path) -> None:
    program = (
        "from bench.record import note, record, record_spread; note('on it');"
        "record('one', 3, 'times', 'once'); record_spread('two', [1, 2, 9], 's', '3 runs')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "--json"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stderr == "on it\n"
    found = read_lines(done.stdout.splitlines())
    assert {name: each.value for name, each in found.items()} == {"one": 3, "two.median": 2, "two.worst": 9}
    assert found["one"].versions.keys() == {"python", "slipway"}
    write_results(found, tmp_path / "results.json")
    assert read_results(tmp_path / "results.json") == found
    assert list(json.loads((tmp_path / "results.json").read_text())) == sorted(found)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0000983, "s", "98.3 µs"),
        (0.0044, "s", "4.4 ms"),
        (0.66, "s", "0.66 s"),
        (2.89, "s", "2.89 s"),
        (43.0, "s", "43 s"),
        (143.0, "s", "2 min 23 s"),
        (66149, "", "66,149"),
        (651.2, "MB", "651 MB"),
        (0.97, "ratio", "0.97"),
        (41.3, "times", "41.3 times"),
    ],
)
def test_a_figure_is_shown_in_the_unit_that_reads_best(value: float, unit: str, text: str) -> None:
    assert shown(value, unit) == text
