"""Agreement: what stands in two places is one value, or asserted equal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from infra.proofs import (
    agree_cloudflare,
    agree_data,
    agree_hosts,
    agree_order,
    agree_presence,
    agree_references,
    agree_rights,
    agree_sizes,
    agree_watching,
)
from infra.proofs.facts import Agreement, Facts
from infra.proofs.problem import Problem
from infra.recording.graph import Graph

AGREEMENTS: tuple[Agreement, ...] = (
    *agree_references.AGREEMENTS,
    *agree_rights.AGREEMENTS,
    *agree_presence.AGREEMENTS,
    *agree_hosts.AGREEMENTS,
    *agree_data.AGREEMENTS,
    *agree_order.AGREEMENTS,
    *agree_sizes.AGREEMENTS,
    *agree_watching.AGREEMENTS,
    *agree_cloudflare.AGREEMENTS,
)
"""Each is one sentence, its docstring, and finds every breach of it."""


def agreement(graph: Graph) -> Iterator[Problem]:
    """Every breach of an agreement in `graph`."""
    yield from _breaches(graph, AGREEMENTS)


def presence(graph: Graph) -> Iterator[Problem]:
    """Every input that is left out in `graph` although others are read from it."""
    yield from _breaches(graph, (agree_presence.nothing_needed_is_left_out,))


def _breaches(graph: Graph, agreements: Sequence[Agreement]) -> Iterator[Problem]:
    facts = Facts(graph)
    for each in agreements:
        source = f"{each.__module__.replace('.', '/')}.py: {each.__name__}"
        for resource, path, problem in each(facts):
            yield Problem("agreement", resource, path, problem, source)
