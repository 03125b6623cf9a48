"""`python -m tests.infra.golden.write`: the lists as the program is now. Read the diff before committing."""

from __future__ import annotations

from pathlib import Path

from infra.recording import Graph, record
from slipway.settings.controls.tokens import STATEFUL

ROOT = Path(__file__).resolve().parents[3]


def path(stack: str) -> Path:
    """The list of a stack."""
    return Path(__file__).with_name(f"{stack}.txt")


def golden(stack: str) -> list[str]:
    """Its lines."""
    return path(stack).read_text(encoding="utf-8").splitlines()


def lines(graph: Graph) -> list[str]:
    """A URN a line; `! ` before those that hold data."""
    return sorted(f"{'! ' if each.type in STATEFUL else ''}{each.urn}" for each in graph)


if __name__ == "__main__":
    for stack in ("prod", "preview"):
        path(stack).write_text("\n".join(lines(record(ROOT, stack))) + "\n", encoding="utf-8")
