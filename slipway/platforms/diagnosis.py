"""One thing the doctor looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """`fail`: the stack cannot be worked with as it is; `warn`: it can, but a person should know."""

    level: Literal["ok", "warn", "fail"]
    what: str
    remedy: str = ""


def ok(what: str) -> Finding:
    """Nothing wrong."""
    return Finding("ok", what)


def warn(what: str, remedy: str) -> Finding:
    """A person should know."""
    return Finding("warn", what, remedy)


def fail(what: str, remedy: str) -> Finding:
    """Something stands in the way."""
    return Finding("fail", what, remedy)
