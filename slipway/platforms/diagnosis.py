"""One thing the doctor looked at."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Diagnosis:
    """`fail`: the stack cannot be worked with as it is; `warn`: it can, but a person should know."""

    level: Literal["ok", "warn", "fail"]
    what: str
    remedy: str = ""


def ok(what: str) -> Diagnosis:
    """Nothing wrong."""
    return Diagnosis("ok", what)


def warn(what: str, remedy: str) -> Diagnosis:
    """A person should know."""
    return Diagnosis("warn", what, remedy)


def fail(what: str, remedy: str) -> Diagnosis:
    """Something stands in the way."""
    return Diagnosis("fail", what, remedy)
