"""What a command on a host came to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Completed:
    """A command that ran to its end on a host. `seconds` is wall time as the operator sees it."""

    stdout: str
    stderr: str
    code: int
    seconds: float
