"""Traces of the inside in what a site answers: stack traces, paths, statements."""

from __future__ import annotations

import re

TRACES = (
    r"\bat .+\(.+:\d+:\d+\)",
    r"Traceback \(most recent",
    r"\.[cm]?[jt]sx?:\d+",
    r"\.py\", line \d+",
    r"\.(go|rb|php|java|kt|rs):\d+",
    r"node_modules",
    r"/srv/slipway",
    r"SELECT .+ FROM",
    r"\b(PostgresError|PrismaClient|SequelizeDatabase|ActiveRecord::|psycopg\b|SQLSTATE)",
    r"goroutine \d+ \[",
    r"panicked at ",
)
"""What frameworks and databases of several languages show of themselves."""


def trace_in(text: str) -> str:
    """The first trace in `text`; empty if it holds none."""
    for trace in TRACES:
        if found := re.search(trace, text):
            return found[0][:80]
    return ""
