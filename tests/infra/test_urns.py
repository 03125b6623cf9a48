"""Logical names are for ever: what a URN loses, the engine deletes; what it gains, it makes anew.

The golden lists are `golden/<stack>.txt`. After a change on purpose:

    python -m tests.infra.golden.write

and read the diff. A line that went and a line that came are a resource deleted and one made: a rename without
`aliases` is both. Lines marked `!` hold data: they never change, whatever the reason.
"""

from __future__ import annotations

import pytest

from infra.recording import Graph
from slipway.settings.controls.tokens import STATEFUL
from tests.infra.golden.write import golden, lines, path

HOW = "if that is on purpose: python -m tests.infra.golden.write, and say why in the commit"


def test_no_urn_came_or_went(graph: Graph) -> None:
    was, now = set(golden(graph.stack)), set(lines(graph))
    gone, came = sorted(was - now), sorted(now - was)
    assert not gone, f"{len(gone)} resources would be DELETED from {graph.stack}: {gone}\n{HOW}"
    assert not came, f"{len(came)} resources would be made in {graph.stack}: {came}\n{HOW}"


def test_what_holds_data_is_where_it_was(graph: Graph) -> None:
    was = {line for line in golden(graph.stack) if line.startswith("!")}
    gone = sorted(was - set(lines(graph)))
    assert was, f"no stateful resource in {path(graph.stack)}"
    assert not gone, (
        f"DATA LOSS in {graph.stack}: {gone}. A stateful resource keeps its name, its type and its parents; "
        "if it must move, give it aliases=[…] with its old URN, and a preview must then replace nothing"
    )


def test_no_name_of_what_holds_data_has_a_version_or_hash(graph: Graph) -> None:
    for resource in graph:
        if resource.type in STATEFUL:
            assert not any(part.isdigit() or len(part) >= 12 for part in resource.name.split("-")), (
                resource.name
            )
            assert graph.stack not in resource.name.split("-"), resource.name


def test_both_stacks_call_the_same_things_the_same(graphs: dict[str, Graph]) -> None:
    names = {
        stack: {(r.type, r.name) for r in graph if r.type in STATEFUL} for stack, graph in graphs.items()
    }
    assert {each for each in names["preview"] - names["prod"] if "cloudflare" not in each[0]} == set()


@pytest.mark.parametrize("stack", ["prod", "preview"])
def test_golden_lists_are_sorted(stack: str) -> None:
    assert golden(stack) == sorted(golden(stack))
