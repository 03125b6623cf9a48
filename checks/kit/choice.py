"""Which checks run: by row or id, by severity, by host."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import pytest

from checks.kit.check import SEVERITIES, Check, Severity


@dataclass(frozen=True)
class Choice:
    """What a person asked for. Empty means all."""

    only: tuple[str, ...] = ()
    """Rows (`X1`), ids (`X1/hsts-covers-a-year`) or the beginning of an id; also several in one, by comma."""
    severity: Severity = "low"
    """These and worse."""
    hosts: tuple[str, ...] = ()
    """Only what is read on these hosts."""

    @property
    def words(self) -> list[str]:
        """What `only` asks for, one by one."""
        return [word.strip().lower() for each in self.only for word in each.split(",") if word.strip()]

    def takes(self, check: Check, host: str) -> bool:
        """Does `check` on `host` (empty: on the stack as a whole) run?"""
        wanted = not self.words or any(_names(word, check) for word in self.words)
        bad_enough = SEVERITIES.index(check.severity) <= SEVERITIES.index(self.severity)
        return wanted and bad_enough and (not self.hosts or host in self.hosts)

    def problem(self, checks: Sequence[Check], hosts: Collection[str]) -> str:
        """What in it is not there, with what is near; empty if all is."""
        for word in self.words:
            if not any(_names(word, check) for check in checks):
                known = sorted(
                    {row for check in checks for row in check.rows} | {check.id for check in checks}
                )
                return f"--only: there is no row and no check {word!r}{_near(word, known)}"
        for host in self.hosts:
            if host not in hosts:
                return f"--host: the stack has no host {host!r}; it has {', '.join(hosts)}"
        return ""


def host_of(item: pytest.Item) -> str:
    """Name of the host that `item` is run on; empty for one of the stack as a whole."""
    spec = getattr(item, "callspec", None)
    return str(spec.params.get("host_name", "")) if spec else ""


def _names(word: str, check: Check) -> bool:
    if "/" in word:
        return check.id.lower().startswith(word)
    return word in (row.lower() for row in check.rows)


def _near(word: str, known: Sequence[str]) -> str:
    by_lower = {name.lower(): name for name in known}
    found = [by_lower[name] for name in difflib.get_close_matches(word, by_lower, n=3, cutoff=0.5)]
    if not found:
        found = [name for name in known if "/" not in name]
    return f"; did you mean {', '.join(found)}?" if len(found) <= 3 else f"; rows: {', '.join(found)}"
