"""Judges a stack's secrets against the app's env contract: what is missing, weak or used twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from slipway.platforms.servers.outputs import SITE
from slipway.secrets.store import is_platform
from slipway.secrets.weakness import weaknesses
from slipway.settings.app import App
from slipway.settings.env_value import misfits
from slipway.settings.stack import Stack

Kind = Literal["missing", "contract", "development", "entropy", "duplicate", "shared"]


@dataclass(frozen=True, order=True)
class Finding:
    """One thing about one secret; no field ever holds a value."""

    name: str
    kind: Kind
    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.name}: {self.problem}"


def check(
    app: App,
    stack: Stack,
    secrets: Mapping[str, str],
    others: Mapping[str, Mapping[str, str]] | None = None,
) -> list[Finding]:
    """What is wrong with `secrets` on `stack`; empty if nothing is.

    `others` are the secrets of further stacks that could be read, by stack: no value may be in two.
    """
    findings: list[Finding] = []
    for name, var in sorted(app.env.items()):
        if not var.secret:
            continue
        value = secrets.get(name, "")
        remedy = (
            f"slipway secrets {'generate --rotate' if var.generate else 'set'} {name} --stack {stack.name}"
        )
        if not value:
            if not var.optional:
                findings.append(
                    Finding(name, "missing", "is missing", remedy.replace(" --rotate " + name, ""))
                )
            continue
        findings += [
            Finding(name, "contract", problem, remedy) for problem in misfits(var, value, stack.name)
        ]
        findings += [Finding(name, _kind(kind), problem, remedy) for kind, problem in weaknesses(value)]
    findings += _duplicates(stack, secrets)
    findings += _shared(stack, secrets, others or {})
    return findings


def unused(app: App, secrets: Iterable[str]) -> list[str]:
    """Names in the store that neither the app's env contract nor the platform knows; no fault, but litter."""
    known = {name for name, var in app.env.items() if var.secret}
    return sorted(name for name in secrets if name not in {*known, SITE} and not is_platform(name))


def _kind(weakness: str) -> Kind:
    return "development" if weakness == "development" else "entropy"


def _duplicates(stack: Stack, secrets: Mapping[str, str]) -> list[Finding]:
    first: dict[str, str] = {}
    findings: list[Finding] = []
    for name, value in sorted(secrets.items()):
        if value in first:
            findings.append(
                Finding(
                    name,
                    "duplicate",
                    f"has the same value as {first[value]}",
                    f"give each its own: slipway secrets set {name} --stack {stack.name}",
                )
            )
        first.setdefault(value, name)
    return findings


def _shared(
    stack: Stack, secrets: Mapping[str, str], others: Mapping[str, Mapping[str, str]]
) -> list[Finding]:
    return [
        Finding(
            name,
            "shared",
            f"has the same value as {their_name} of stack {their_stack}",
            f"stacks share no secrets: slipway secrets set {name} --stack {stack.name}",
        )
        for name, value in sorted(secrets.items())
        for their_stack, theirs in sorted(others.items())
        if their_stack != stack.name
        for their_name, their_value in sorted(theirs.items())
        if value == their_value
    ]
