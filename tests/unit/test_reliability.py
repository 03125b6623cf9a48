"""docs/reliability.md shows the matrix of faults as it is, and no cell that failed."""

from __future__ import annotations

from pathlib import Path

from tests.fleet.faults.matrix import MATRIX, SHARES, chosen

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"


def test_the_page_shows_every_cell_of_the_matrix_and_none_that_failed() -> None:
    rows = [line.split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    shown = {(row[0].removeprefix("| "), row[1]) for row in rows}
    assert {(cell.fault.name, cell.moment.name) for cell in MATRIX} <= shown
    assert "(failed)" not in PAGE.read_text()


def test_the_thirds_together_are_the_matrix_but_for_what_takes_long() -> None:
    thirds = [cell for number in range(SHARES) for cell in chosen(f"{number + 1}/{SHARES}")]
    assert sorted(cell.id for cell in thirds) == sorted(cell.id for cell in MATRIX if not cell.takes_long)
    assert len({cell.id for cell in MATRIX}) == len(chosen("all"))
