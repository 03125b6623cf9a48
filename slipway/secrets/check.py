"""Judges a stack's secrets against the app's env contract: what is missing, weak, guessable or used twice."""

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from slipway.settings import App, Stack, misfits

Kind = Literal["missing", "contract", "development", "entropy", "duplicate", "shared"]


@dataclass(frozen=True, order=True)
class SecretProblem:
    """One problem of one secret; no field contains a value."""

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
) -> list[SecretProblem]:
    """What is wrong with `secrets` on `stack`; empty if nothing is.

    `others` are the secrets of further stacks that could be read, by stack: no value may be in two.
    """
    problems: list[SecretProblem] = []
    for name, var in sorted(app.env.items()):
        if not var.secret:
            continue
        value = secrets.get(name, "")
        remedy = (
            f"slipway secrets {'generate --rotate' if var.generate else 'set'} {name} --stack {stack.name}"
        )
        if not value:
            if not var.optional:
                problems.append(
                    SecretProblem(name, "missing", "is missing", remedy.replace(" --rotate " + name, ""))
                )
            continue
        problems += [
            SecretProblem(name, "contract", problem, remedy) for problem in misfits(var, value, stack.name)
        ]
        problems += [SecretProblem(name, _kind(kind), problem, remedy) for kind, problem in weaknesses(value)]
    problems += _duplicates(stack, secrets)
    problems += _shared(stack, secrets, others or {})
    return problems


def _kind(weakness: str) -> Kind:
    return "development" if weakness == "development" else "entropy"


def _duplicates(stack: Stack, secrets: Mapping[str, str]) -> list[SecretProblem]:
    first: dict[str, str] = {}
    problems: list[SecretProblem] = []
    for name, value in sorted(secrets.items()):
        if value in first:
            problems.append(
                SecretProblem(
                    name,
                    "duplicate",
                    f"has the same value as {first[value]}",
                    f"give each a value of its own: slipway secrets set {name} --stack {stack.name}",
                )
            )
        first.setdefault(value, name)
    return problems


def _shared(
    stack: Stack, secrets: Mapping[str, str], others: Mapping[str, Mapping[str, str]]
) -> list[SecretProblem]:
    return [
        SecretProblem(
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


FEWEST_BITS = 48
"""Below this estimate a value can be guessed offline within hours."""

_EXACT = frozenset(
    """admin changeit changeme default dev development dummy example foobar guest insecure letmein local
    localhost master none null pass passw0rd password postgres production qwerty redis root secret
    test tbd todo undefined user xxx""".split()  # noqa: SIM905 - a list of words reads better as text
)
_STARTS = re.compile(
    r"^(?:your|dev|local|test|example|sample|dummy|fake|insert|replace|my)[-_ ]|^<.*>$|^\$\{"
)
_HOLDS = re.compile(
    r"change[-_ ]?(?:me|this|in[-_ ]?prod)|replace[-_ ]?(?:me|this)|not[-_ ]for[-_ ]prod|do[-_ ]not[-_ ]use"
    r"|place[-_ ]?holder|in[-_ ]?secure|your[-_](?:\w+[-_])?(?:secret|key|token|password)|x{6,}"
    r"|keyboard[-_ ]?cat"
)
_WORDS = frozenset(
    """a access and api app at auth better board bytes char chars characters cookie cron database db dev
    enough encryption for good here in is jwt key least local long me min minimum must my of only
    pass password please postgres prod production pwd random redis refresh s safe salt secret
    secure session should sign signing some stack strong super test testing that the this to token used
    user value very webhook with""".split()  # noqa: SIM905
)


def weaknesses(value: str) -> list[tuple[str, str]]:
    """Kind (`development` or `entropy`) and problem of each weakness of `value`."""
    if is_development_value(value):
        return [("development", "is a well-known value from documentation or development")]
    bits = guess_bits(value)
    if bits < FEWEST_BITS:
        return [("entropy", f"is too easy to guess (about {bits:.0f} bits; {FEWEST_BITS} needed)")]
    return []


def is_development_value(value: str) -> bool:
    """True for what examples and development set-ups use: `changeme`, `your-…`, `super-secret-jwt-key`."""
    low = value.strip().lower()
    if low in _EXACT or _STARTS.search(low) or _HOLDS.search(low):
        return True
    words: list[str] = re.findall(r"[a-z]+", low)
    digits = sum(char.isdigit() for char in low)
    return bool(words) and digits <= 6 and all(word in _WORDS or word in _EXACT for word in words)


def guess_bits(value: str) -> float:
    """Bits of variety in `value`: Shannon's measure on its shortest repeating part, less for runs.

    It cannot know how a value was made; it recognises only what is plainly poor.
    """
    part = _shortest_period(value)
    if not part:
        return 0.0
    counts = Counter(part)
    bits = -sum(n * math.log2(n / len(part)) for n in counts.values())
    steps = [ord(b) - ord(a) for a, b in pairwise(part)]
    runs = sum(step in (-1, 0, 1) for step in steps) / len(steps) if steps else 1.0
    return bits * (1 - runs) if runs > 0.5 else bits


def _shortest_period(value: str) -> str:
    for size in range(1, len(value) // 2 + 1):
        if value == (value[:size] * (len(value) // size + 1))[: len(value)]:
            return value[:size]
    return value
