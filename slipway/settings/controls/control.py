"""What a control is: one thing that a stack keeps, where it is checked, and which setting decides it.

A row of the tables beside this file gives the demand on the settings (`production_rules`), the policy rule on
the recorded graph (`infra.policies`), and the line in docs/infrastructure.md.
"""

import re
from dataclasses import dataclass
from typing import Any, Literal, Protocol, cast

from slipway.settings.violations import shown

Severity = Literal["critical", "high", "medium", "low"]
SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low")
STOPPING: tuple[Severity, ...] = ("critical", "high")
"""Severities that stop an update; the others are reported."""


class Predicate(Protocol):
    """A predicate on one value. `phrase` completes "must be …"."""

    @property
    def phrase(self) -> str: ...
    def __call__(self, value: Any, /) -> bool: ...


@dataclass(frozen=True)
class Is:
    """Exactly this value."""

    value: Any

    @property
    def phrase(self) -> str:
        return shown(self.value)

    def __call__(self, value: Any, /) -> bool:
        return bool(value == self.value)


@dataclass(frozen=True)
class AtLeast:
    """A whole number that is not smaller."""

    least: int

    @property
    def phrase(self) -> str:
        return f"at least {self.least}"

    def __call__(self, value: Any, /) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and value >= self.least


@dataclass(frozen=True)
class AtMost:
    """A whole number that is not larger."""

    most: int

    @property
    def phrase(self) -> str:
        return f"at most {self.most}"

    def __call__(self, value: Any, /) -> bool:
        return isinstance(value, int) and value <= self.most


@dataclass(frozen=True)
class OneOf:
    """One of these values."""

    values: tuple[Any, ...]

    @property
    def phrase(self) -> str:
        return f"one of {', '.join(shown(each) for each in self.values)}"

    def __call__(self, value: Any, /) -> bool:
        return value in self.values


@dataclass(frozen=True)
class NotEmpty:
    """Any value but an empty one; inputs of providers are JSON text."""

    phrase = "set"

    def __call__(self, value: Any, /) -> bool:
        return bool(value) and value not in ("[]", "{}")


@dataclass(frozen=True)
class Empty:
    """No value, or an empty one."""

    phrase = "empty"

    def __call__(self, value: Any, /) -> bool:
        return not value


@dataclass(frozen=True)
class Entries:
    """A list of at least this length."""

    least: int

    @property
    def phrase(self) -> str:
        return f"a list of {self.least} or more"

    def __call__(self, value: Any, /) -> bool:
        return isinstance(value, list) and len(cast("list[Any]", value)) >= self.least


@dataclass(frozen=True)
class Lists:
    """A list with this entry in it."""

    entry: str

    @property
    def phrase(self) -> str:
        return f"a list with {shown(self.entry)}"

    def __call__(self, value: Any, /) -> bool:
        return isinstance(value, list) and self.entry in cast("list[Any]", value)


@dataclass(frozen=True)
class Matches:
    """Text in which the pattern is found; `phrase` says what it means."""

    pattern: str
    phrase: str

    def __call__(self, value: Any, /) -> bool:
        return bool(re.search(self.pattern, str(value)))


@dataclass(frozen=True)
class Hsts:
    """A Strict-Transport-Security header for at least this many seconds, subdomains included."""

    seconds: int

    @property
    def phrase(self) -> str:
        return f"max-age={self.seconds} or more, with includeSubDomains"

    def __call__(self, value: Any, /) -> bool:
        found = re.search(r"max-age=(\d+)", str(value))
        return bool(found) and int(found[1]) >= self.seconds and "includeSubDomains" in str(value)


@dataclass(frozen=True)
class Control:
    """One row."""

    id: str
    """The policy rule's name: `database-deletion-protection`."""
    controls: tuple[str, ...]
    """What asks for it: controls of AWS Security Hub (`RDS.8`), rows of the production checklist (`I8`)."""
    severity: Severity
    says: str
    """What is kept, in one sentence."""
    on: tuple[str, ...] = ()
    """Type tokens of the resources it is checked on; none: the setting alone is checked."""
    path: str = ""
    """Input that `holds` is applied to, dotted, in the wire's spelling. Without `holds`: what the function in
    infra/policies that is registered by this id looks at."""
    holds: Predicate | None = None
    absent: bool = False
    """Does an input that is not set keep the control?"""
    when: tuple[str, Predicate | None] | None = None
    """Only for resources with such an input; None in place of a test: without this input."""
    production: bool = False
    """Only on production stacks?"""
    remedy: str = ""
    """What to do; empty: made from `path` and `holds`."""
    setting: str = ""
    """Key under `slipway:aws` that decides it."""
    demands: Predicate | None = None
    """What the setting must be on production stacks."""
    risk: str = ""
    """What happens without it: the reason in the settings' error message."""

    @property
    def what_to_do(self) -> str:
        """The remedy, for a person."""
        if self.remedy or self.holds is None:
            return self.remedy
        return f"{self.path} must be {self.holds.phrase}"


@dataclass(frozen=True)
class Section:
    """The controls of one concern."""

    title: str
    sources: tuple[str, ...]
    """The components that set these inputs."""
    rows: tuple[Control, ...]
