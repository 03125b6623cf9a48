"""What makes well-formed stack settings mean something."""

from __future__ import annotations

from slipway.settings.stack import Stack
from slipway.settings.violations import KeyPath


def broken_stack_rules(stack: Stack) -> list[tuple[KeyPath, str, str]]:
    """Everything in `stack` that cannot work: key path, problem, remedy."""
    return []
