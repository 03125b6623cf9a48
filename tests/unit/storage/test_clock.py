"""The bucket's clock, from whole seconds."""

from __future__ import annotations

from email.utils import formatdate

import pytest

from slipway.storage.signed_http import ServerClock, steady


@pytest.mark.parametrize("lag", [0.0, 0.4, 0.99])
def test_it_is_less_than_a_second_off_however_the_local_clock_goes(lag: float) -> None:
    clock, offset = ServerClock(), 5_000_000.3
    for tick in range(40):
        local = steady() + tick * 0.173
        date = int(local + offset - lag)  # a server that renews its Date `lag` late
        clock.learn(formatdate(date, usegmt=True), local - 0.01, local)
    assert abs(clock.now() - (steady() + offset)) < 1


def test_a_server_whose_clock_was_set_is_followed() -> None:
    clock = ServerClock()
    for offset in (1_000_000, 2_000_000):
        for _ in range(3):
            clock.learn(formatdate(int(steady() + offset), usegmt=True), steady(), steady())
    assert abs(clock.now() - (steady() + 2_000_000)) < 1.5


@pytest.mark.parametrize("date", [None, "", "yesterday"])
def test_a_missing_or_odd_date_changes_nothing(date: str | None) -> None:
    clock = ServerClock()
    before = clock.now()
    clock.learn(date, steady(), steady())
    assert abs(clock.now() - before) < 0.5
