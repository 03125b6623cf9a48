"""The matrix is what the code says, and no row of the checklist is forgotten."""

from __future__ import annotations

from pathlib import Path

from checks.kit.matrix import PROVED_ELSEWHERE, all_checks, render, uncovered

MATRIX = Path(__file__).parents[3] / "docs" / "checks-matrix.md"
CHECKS = all_checks()


def test_the_matrix_is_what_the_code_says() -> None:
    assert MATRIX.read_text() == render(CHECKS), "python -m checks.kit.matrix > docs/checks-matrix.md"


def test_every_row_with_a_live_side_has_a_check() -> None:
    assert uncovered(CHECKS) == []


def test_a_row_that_is_proved_elsewhere_has_no_check() -> None:
    assert {row for each in CHECKS for row in each.rows} & set(PROVED_ELSEWHERE) == set()


def test_ids_are_unique_and_every_check_says_why_and_what_to_do() -> None:
    assert len(CHECKS) >= 90
    assert [each.id for each in CHECKS if len(each.why) < 15 or len(each.remedy) < 7] == []


def test_no_check_fails_in_the_words_of_pytest() -> None:
    """pytest.raises would say DID NOT RAISE: a check says in a sentence what was accepted."""
    files = (MATRIX.parents[1] / "checks").rglob("*.py")
    assert [file.name for file in files if "pytest.raises" in file.read_text()] == []
