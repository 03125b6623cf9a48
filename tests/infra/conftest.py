"""The repository's own stacks, recorded once for all tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.policies import World
from infra.recording import Graph, record
from infra.recording.sandbox import install as make_cloudflare_lean
from slipway.settings import open_project
from tests.infra.emulator.ahead import emulator_ahead, pytest_collection_modifyitems
from tests.infra.emulator.applied import applied, emulator
from tests.infra.emulator.second import second, second_ahead

__all__ = [
    "applied",
    "emulator",
    "emulator_ahead",
    "pytest_collection_modifyitems",
    "second",
    "second_ahead",
]

make_cloudflare_lean()
ROOT = Path(__file__).resolve().parents[2]
STACKS = ("prod", "preview")


@pytest.fixture(scope="session")
def graphs() -> dict[str, Graph]:
    """What the program makes of Pulumi.prod.yaml and Pulumi.preview.yaml."""
    return {stack: record(ROOT, stack) for stack in STACKS}


@pytest.fixture(scope="session", params=STACKS)
def graph(request: pytest.FixtureRequest, graphs: dict[str, Graph]) -> Graph:
    """Each of them in turn."""
    return graphs[request.param]


@pytest.fixture(scope="session")
def prod(graphs: dict[str, Graph]) -> World:
    """Production, as rules see it."""
    return World(graphs["prod"], open_project("prod", ROOT).stack.purpose)


@pytest.fixture(scope="session")
def preview(graphs: dict[str, Graph]) -> World:
    """Preview, as rules see it."""
    return World(graphs["preview"], open_project("preview", ROOT).stack.purpose)
