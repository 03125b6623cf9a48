"""The globs of slipway.toml: `*` and `?` stay within a folder, `**` does not, a folder is all below it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache

_TOKEN = re.compile(
    r"(?P<folders>\*\*/)|(?P<rest>\*\*)|(?P<star>\*)|(?P<one>\?)|(?P<set>\[!?[^\]/]+\])|(?P<text>.)"
)


def matcher(patterns: Iterable[str]) -> Callable[[str], bool]:
    """A test of one relative path (`/` between folders) against all of `patterns`."""
    compiled = [_compiled(pattern) for pattern in patterns]
    return lambda path: any(regex.match(path) for regex in compiled)


def matches(path: str, patterns: Iterable[str]) -> bool:
    """Is `path`, or a folder above it, named by one of `patterns`?"""
    return matcher(patterns)(path)


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    clean = pattern.removeprefix("./").rstrip("/")
    body = "".join(_regex(token) for token in _TOKEN.finditer(clean))
    return re.compile(rf"(?s:{body})(?:/.*)?\Z")


def _regex(token: re.Match[str]) -> str:
    text = token.group()
    match token.lastgroup:
        case "folders":
            return "(?:.*/)?"
        case "rest":
            return ".*"
        case "star":
            return "[^/]*"
        case "one":
            return "[^/]"
        case "set":
            return text.replace("[!", "[^", 1)
        case _:
            return re.escape(text)
