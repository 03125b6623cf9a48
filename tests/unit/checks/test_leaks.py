"""Which pieces of a secret are searched for."""

from __future__ import annotations

from checks.kit.leaks import pieces


def test_a_value_with_slashes_is_searched_by_its_pieces() -> None:
    assert pieces(["AAAABBBBCCCCDDDD/EEEEFFFFGGGGHHHH+x/abc="]) == {"AAAABBBBCCCCDDDD", "EEEEFFFFGGGGHHHH+x"}


def test_short_pieces_and_host_names_are_not_searched() -> None:
    assert pieces(["short", "https://key@errors.example-service.com/1"]) == set()
