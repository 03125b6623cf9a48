"""How secrets are looked for on hosts."""

from __future__ import annotations

from checks.kit.leaks import pieces


def test_a_value_with_slashes_is_looked_for_by_its_pieces() -> None:
    assert pieces(["AAAABBBBCCCCDDDD/EEEEFFFFGGGGHHHH+x/abc="]) == {"AAAABBBBCCCCDDDD", "EEEEFFFFGGGGHHHH+x"}


def test_what_is_short_or_the_name_of_a_host_is_not_looked_for() -> None:
    assert pieces(["short", "https://key@errors.example-service.com/1"]) == set()
