"""Secrets that follow from the fleet's key and a preview's life."""

from __future__ import annotations

import pytest

from slipway.secrets.derived import Derived
from slipway.settings import App, BadInput

KEY = "0123456789abcdef" * 3


def app(**entry: object) -> App:
    return App.model_validate(
        {
            "name": "board",
            "runtime": {"name": "none"},
            "processes": {"web": {"command": "x"}},
            "env": {"TOKEN": {"secret": True, "generate": "base64:24", **entry}, "GIVEN": {"secret": True}},
        }
    )


def test_the_same_life_has_the_same_secrets_and_no_other_has_them():
    of_app = Derived(KEY, "pr-1", "first").of_app(app())
    assert set(of_app) == {"TOKEN"}
    assert Derived(KEY, "pr-1", "first").of_app(app()) == of_app
    others = [
        Derived(KEY, "pr-1", "second"),
        Derived(KEY, "pr-2", "first"),
        Derived("other", "pr-1", "first"),
    ]
    assert len({of_app["TOKEN"], *(each.of_app(app())["TOKEN"] for each in others)}) == 4
    passwords = {each.password("A") for each in others} | {Derived(KEY, "pr-1", "first").password("B")}
    assert len(passwords) == 4


def test_a_value_fits_the_entry_or_is_refused():
    fits = Derived(KEY, "pr-1", "n").of_app(app(pattern="[A-M].*"))["TOKEN"]
    assert fits[0] in "ABCDEFGHIJKLM"
    with pytest.raises(BadInput, match="nothing that base64:24 makes fits"):
        Derived(KEY, "pr-1", "n").of_app(app(pattern="never"))


def test_the_key_is_not_shown():
    assert KEY not in repr(Derived(KEY, "pr-1", "n"))
