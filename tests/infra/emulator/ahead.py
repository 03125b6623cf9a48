"""The emulator's stacks are applied while other tests run: that takes minutes, nearly all of them waiting."""

from __future__ import annotations

from contextlib import suppress

import pytest


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What needs the stacks comes last."""
    items.sort(key=_needs_the_emulator)


@pytest.fixture(scope="session", autouse=True)
def emulator_ahead(request: pytest.FixtureRequest) -> None:
    """Begin. What goes wrong here (no terraform, a program that fails) is told to the tests that need it."""
    if any(map(_needs_the_emulator, request.session.items)):
        with suppress(Exception, pytest.skip.Exception):
            request.getfixturevalue("emulator").begin()
    if any("second" in getattr(item, "fixturenames", ()) for item in request.session.items):
        with suppress(Exception, pytest.skip.Exception):
            request.getfixturevalue("second_ahead")


def _needs_the_emulator(item: pytest.Item) -> bool:
    return "emulator" in getattr(item, "fixturenames", ())
