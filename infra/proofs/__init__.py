"""Proofs on the recorded graph, nearer to AWS than an emulator: grammar, reachability and agreement."""

from collections.abc import Iterator

from infra.proofs.agreement import agreement, presence
from infra.proofs.documents import documents
from infra.proofs.grammar import grammar
from infra.proofs.problem import Problem
from infra.proofs.reachability import reachability
from infra.recording.graph import Graph

__all__ = ["PROOFS", "Problem", "prove"]

PROOFS = (grammar, documents, reachability, agreement)


def prove(graph: Graph) -> Iterator[Problem]:
    """Every problem that a proof finds in `graph`. What is left out comes first: no proof could read on."""
    if missing := list(presence(graph)):
        yield from missing
        return
    for proof in PROOFS:
        try:
            yield from proof(graph)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as wrong:
            what = f"has a value that {proof.__name__} cannot read: {wrong}"
            yield Problem("grammar", None, "", what, f"infra/proofs/{proof.__name__}.py")
