"""Writes measured figures into the pages, so that no page holds a number that somebody typed.

    uv run python -m bench.rollback --json | uv run python -m bench.publish -
    uv run python -m bench.publish        (fill the pages from bench/results.json)

With `-`, figures are read from standard input and replace those of the same name in bench/results.json. In a
page, `<!-- bench:NAME -->…<!-- /bench -->` is filled with the figure called NAME; `NAME@date`, `NAME@how` and
`NAME@machine` with when, how and on what it was measured. Ends with 1 if a page names a missing figure.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from pathlib import Path

from bench.record import ROOT, Figure, shown

RESULTS = ROOT / "bench" / "results.json"
_MARK = re.compile(r"(<!-- bench:(?P<name>[\w.-]+)(?:@(?P<part>date|how|machine))? -->).*?(<!-- /bench -->)")


def pages() -> list[Path]:
    """Every page that may hold figures."""
    return [ROOT / "README.md", ROOT / "bench" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def read_results(path: Path = RESULTS) -> dict[str, Figure]:
    """The figures in `path`, by name."""
    return {name: Figure(name=name, **content) for name, content in json.loads(path.read_text()).items()}


def write_results(figures: Mapping[str, Figure], path: Path = RESULTS) -> None:
    """Write `figures` to `path`, sorted by name."""
    content = {name: _without_name(figure) for name, figure in sorted(figures.items())}
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def read_lines(lines: Iterable[str]) -> dict[str, Figure]:
    """The figures that benchmarks printed with `--json`, by name; other lines are passed over."""
    known = {each.name for each in fields(Figure)}
    found: dict[str, Figure] = {}
    for line in lines:
        if line.startswith("{") and (content := json.loads(line)).keys() == known:
            found[content["name"]] = Figure(**content)
    return found


def fill(text: str, figures: Mapping[str, Figure]) -> str:
    """`text` with every mark filled. Raises KeyError for a figure that is missing."""

    def put(mark: re.Match[str]) -> str:
        figure = figures[mark["name"]]
        value = getattr(figure, mark["part"]) if mark["part"] else shown(figure.value, figure.unit)
        return f"{mark[1]}{value}{mark[4]}"

    return _MARK.sub(put, text)


def _without_name(figure: Figure) -> dict[str, object]:
    return {name: value for name, value in asdict(figure).items() if name != "name"}


def main() -> int:
    figures = read_results()
    fresh = read_lines(sys.stdin) if sys.argv[1:] == ["-"] else {}
    if fresh:
        write_results(figures | fresh)
        print(f"{RESULTS.relative_to(ROOT)}: {', '.join(fresh)}")
    for page in pages():
        text = page.read_text()
        try:
            filled = fill(text, figures | fresh)
        except KeyError as missing:
            print(f"{page.relative_to(ROOT)}: no figure {missing} in bench/results.json", file=sys.stderr)
            return 1
        if filled != text:
            page.write_text(filled)
            print(f"{page.relative_to(ROOT)} is filled")
    return 0


if __name__ == "__main__":
    sys.exit(main())
