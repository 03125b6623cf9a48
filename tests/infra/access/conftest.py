"""Both stacks of the example."""

from __future__ import annotations

import pytest

from infra.recording import Graph
from tests.infra.access.estate import Estate


@pytest.fixture(scope="session")
def estates(graphs: dict[str, Graph]) -> dict[str, Estate]:
    """By stack."""
    return {name: Estate(graph) for name, graph in graphs.items()}


@pytest.fixture(params=("prod", "preview"))
def own(request: pytest.FixtureRequest, estates: dict[str, Estate]) -> Estate:
    """Each stack in turn."""
    return estates[request.param]


@pytest.fixture
def other(own: Estate, estates: dict[str, Estate]) -> Estate:
    """The stack that `own` is not."""
    (found,) = [each for each in estates.values() if each.stack != own.stack]
    return found
