"""Rules on the env contract: names, scopes, sources, and secrets that browsers would see (P3)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from slipway.settings.app import App, EnvVar
from slipway.settings.env_scope import known_scopes
from slipway.settings.env_value import misfits
from slipway.settings.explain import did_you_mean
from slipway.settings.refs import REFS
from slipway.settings.violations import Broken, shown

_GIVEN_BY_HOSTS = ("PORT", "HOST")
_OURS = ("SLIPWAY_", "PLATFORM_")
_FEWEST_BYTES, _MOST_BYTES = 16, 1024
"""128 bits are out of reach of guessing; an environment block is not for more than a kilobyte each."""
_STACK = re.compile(r"^(\*|[a-z][a-z0-9-]{0,30})$")


def env_rules(app: App) -> Iterator[Broken]:
    """What is wrong with [env] and client_prefixes."""
    for index, prefix in enumerate(app.client_prefixes):
        if not prefix:
            yield ("client_prefixes", index), "must not be empty: every variable would be a client's", ""
    scopes = known_scopes(app)
    for name, var in app.env.items():
        yield from _name(name)
        yield from _source(name, var)
        yield from _client(app, name, var)
        yield from _scopes(name, var, scopes)
        patterns = list(_patterns(name, var))
        yield from patterns
        yield from _generated(name, var)
        if var.value is not None and not patterns:
            for problem in misfits(var, var.value):
                yield ("env", name, "value"), problem, ""


def _name(name: str) -> Iterator[Broken]:
    if name in _GIVEN_BY_HOSTS:
        yield ("env", name), "is given by the host to each process", "remove it"
    elif name.startswith(_OURS):
        yield ("env", name), f"names beginning with {' and '.join(_OURS)} are the kit's own", "choose another"


def _source(name: str, var: EnvVar) -> Iterator[Broken]:
    if var.source is not None and var.source not in REFS:
        yield (
            ("env", name, "from"),
            f"is no stack output, got {shown(var.source)}",
            did_you_mean(var.source, list(REFS)),
        )


def _client(app: App, name: str, var: EnvVar) -> Iterator[Broken]:
    prefix = next((prefix for prefix in app.client_prefixes if prefix and name.startswith(prefix)), None)
    ref = REFS.get(var.source or "")
    if not prefix and not var.client:
        return
    why = f"{prefix} is a client prefix: browsers would see it" if prefix else "browsers would see it"
    if var.secret:
        yield ("env", name), f"must not be a secret: {why}", "rename it, or make it no secret"
    elif ref is not None and ref.secret:
        yield ("env", name, "from"), f"must not be {shown(var.source)}, which holds a credential: {why}", ""
    elif not var.client:
        yield (
            ("env", name),
            f"must say client = true: {prefix} is a client prefix",
            "what browsers may see is declared apart from what only servers may",
        )


def _scopes(name: str, var: EnvVar, scopes: list[str]) -> Iterator[Broken]:
    for index, scope in enumerate(var.scope):
        if scope not in scopes:
            yield (
                ("env", name, "scope", index),
                f"there is no process or scope {shown(scope)}",
                did_you_mean(scope, scopes),
            )


def _patterns(name: str, var: EnvVar) -> Iterator[Broken]:
    given = [(("env", name, "pattern"), var.pattern)] if var.pattern is not None else []
    given += [(("env", name, "stack_pattern", stack), text) for stack, text in var.stack_pattern.items()]
    for place, pattern in given:
        try:
            re.compile(pattern)
        except re.error as error:
            yield place, f"is no regular expression: {error}", ""
    for stack in var.stack_pattern:
        if not _STACK.match(stack):
            yield (
                ("env", name, "stack_pattern", stack),
                'must be the name of a stack, or "*" for the others',
                "",
            )


def _generated(name: str, var: EnvVar) -> Iterator[Broken]:
    if var.generate is None:
        return
    place = ("env", name, "generate")
    if not var.secret:
        yield place, "needs secret = true: only secrets are generated", "add it, or remove generate"
    form, _, digits = var.generate.partition(":")
    size = int(digits)
    if not _FEWEST_BYTES <= size <= _MOST_BYTES:
        yield place, f"must be {_FEWEST_BYTES} to {_MOST_BYTES} bytes, got {size}", f'for example "{form}:32"'
        return
    length = size * 2 if form == "hex" else math.ceil(size / 3) * 4
    if length < var.min_length:
        needed = math.ceil(var.min_length / 2) if form == "hex" else math.ceil(var.min_length / 4 * 3)
        yield (
            place,
            f"makes {length} characters, and min_length is {var.min_length}",
            f'write "{form}:{needed}"',
        )
