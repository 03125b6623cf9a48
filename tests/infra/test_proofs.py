"""Grammar, reachability and agreement find the mistakes that meet a first `up`, and nothing else."""

from __future__ import annotations

import pytest

from infra.policies import RULES, World, judge
from infra.proofs import prove
from infra.proofs.agreement import AGREEMENTS, agreement
from infra.proofs.published import PUBLISHED, SOURCES
from infra.recording import Graph
from tests.infra.mistakes import MISTAKES
from tests.infra.test_reachability import edited


def test_everything_agrees(graph: Graph) -> None:
    assert [str(each) for each in agreement(graph)] == []


def test_every_agreement_is_a_sentence() -> None:
    for each in AGREEMENTS:
        assert each.__doc__
        assert each.__doc__.split("\n")[0].endswith(".")


def test_every_namespace_names_its_page() -> None:
    assert set(PUBLISHED) == set(SOURCES)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_found(prod: World, mistake: str) -> None:
    name, change = MISTAKES[mistake]
    wrong = edited(prod.graph, name, change)
    found = [*prove(wrong), *judge(World(wrong, prod.purpose), RULES)]
    assert found, f"{mistake} passes every rule and every proof"
