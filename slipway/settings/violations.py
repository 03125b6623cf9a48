"""What is wrong in a settings file: file, line, key, problem, remedy; all of them in one error."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from slipway.settings.errors import BadInput

KeyPath = tuple[str | int, ...]
"""Where a value stands in a file: `("processes", "web", "health")`, `("smoke", "steps", 0)`."""

Broken = tuple[KeyPath, str, str]
"""What a rule found: key path, problem, remedy."""

_BARE_KEY = re.compile(r"^[A-Za-z0-9_:-]+$")
_LONGEST_VALUE = 60


@dataclass(frozen=True, order=True)
class Violation:
    """One thing that is wrong in one place of a file. `line` counts from 1; 0 means the whole file."""

    file: str
    line: int
    key: str
    problem: str
    remedy: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place} {self.key}: {self.problem}" if self.key else f"{place}: {self.problem}"


class InvalidSettings(BadInput):
    """One or more violations. Exit code 2; `violations` has them typed, for reports."""

    def __init__(self, violations: Sequence[Violation]) -> None:
        self.violations = tuple(dict.fromkeys(violations))
        if len(self.violations) == 1:
            only = self.violations[0]
            super().__init__(str(only), remedy=only.remedy)
            return
        files = ", ".join(dict.fromkeys(violation.file for violation in self.violations))
        super().__init__(
            f"{files}: {len(self.violations)} things are wrong",
            details=[f"{v} ({v.remedy})" if v.remedy else str(v) for v in self.violations],
        )

    def __str__(self) -> str:
        return "\n".join([self.message, *self.details])


def dotted(path: KeyPath) -> str:
    """`path` as a person writes it: `smoke.steps[0].request`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
            continue
        written = part if _BARE_KEY.match(part) else json.dumps(part)
        text += f".{written}" if text else written
    return text


def shown(value: object) -> str:
    """`value` as it may stand in a message: quoted, and cut if it is long."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 2]}…{text[-1]}"


def display_name(path: Path) -> str:
    """`path` relative to the working directory when it lies below it, else in full."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
