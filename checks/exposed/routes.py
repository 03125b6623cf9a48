"""The routes that slipway.toml names, and what a hostile client would send to them."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from slipway.stack import App

NESTED = '{"a":' * 2000 + "1" + "}" * 2000
UNREADABLE: tuple[tuple[bytes, str], ...] = (
    (b"", "application/json"),
    (b"{", "application/json"),
    (b"null", "application/json"),
    (b"[]", "application/json"),
    (b'"text"', "application/json"),
    (b"1e999", "application/json"),
    (b'{"__proto__":{"role":"admin"},"constructor":{"prototype":{}}}', "application/json"),
    (b"\xff\xfe\x00", "application/json"),
    (NESTED.encode(), "application/json"),
    (b"<a>&b;</a>", "application/xml"),
    (b"a=1&a=2&b[c]=3&%ff=%00", "application/x-www-form-urlencoded"),
    (b"--x\r\nno header", "multipart/form-data; boundary=x"),
    (b"--x", "multipart/form-data"),
    (b"{}", "application/json; charset=utf-99"),
    (b"{}", "not a type"),
)
"""Bodies that no route can accept, with their Content-Type."""
VALUES: tuple[object, ...] = (
    *(None, True, 0, -1, 2**53, 2**63, 2**64, 1e308, -0.5),
    *(
        "",
        " ",
        "a\0b",
        "\ud800",
        "\U0001f4a9",
        "x" * 10_000,
        "'",
        '"',
        "%s%n",
        "${jndi:x}",
        "../../etc/passwd",
    ),
    *("1970-01-01T00:00:00Z", "9999-99-99", "NaN", "\u202etxt.exe", "{{7*7}}", "'; SELECT 1 --"),
    *cast("tuple[object, ...]", ([], [None], [[]], {}, {"$ne": None}, {"toString": 1})),
)
"""Values that take code by surprise: limits, types, characters that a database cannot store."""
IDS = (
    *("x", "0", "-1", "9" * 20, "%00", "%ff", "%27", "%22", "..%2f..", "%2e%2e", "a%0ab", "%F0%9F%92%A9"),
    *("00000000-0000-4000-8000-000000000000", "00000000-0000-4000-8000-00000000000g", "[object%20Object]"),
    *("undefined", "null", "NaN", "%7B%7D", "x" * 2000),
)
"""What may stand where a path has a placeholder."""
QUERIES = (
    *(
        "limit=-1",
        "limit=0",
        f"limit={'9' * 25}",
        "limit=1e999",
        "limit=x",
        "limit[]=1&limit[]=2",
        "limit=%00",
    ),
    *("q=%00", "q=%ff", "q=%F0%9F%92%A9", "q=%27", "id[$ne]=1", "a[b][c][d]=1", "=", "&&&", "%", "a=%zz"),
    *("sort=1;DROP", "page=-9223372036854775809", "cursor=AAAA", f"q={'x' * 6000}", "__proto__[a]=1"),
)
METHODS = ("HEAD", "OPTIONS", "TRACE", "PROPFIND")
"""Methods that change nothing, whatever the route does with others."""


@dataclass(frozen=True)
class Route:
    """One request that slipway.toml names."""

    method: str
    path: str
    body: Mapping[str, object] = field(default_factory=dict[str, object])
    """An example of its JSON body; empty: it takes none."""
    undo: str = ""
    """Request that deletes what a success of this one has written."""
    writes: bool = False
    """A success leaves something behind that nothing undoes: it only gets bodies that cannot succeed."""

    @property
    def sends(self) -> bool:
        return self.method in ("POST", "PUT", "PATCH")


def routes(app: App) -> list[Route]:
    """Every request of the smoke steps, of `[checks]`, of `[load]` and of cron, once."""
    declared = app.checks
    # Those that say most come first: a later one with the same method and path is left out.
    found: list[Route] = []
    if write := declared.write:
        found.append(_route(write.request, write.body, undo=write.undo or "", writes=write.undo is None))
    if upload := declared.upload:
        found.append(_route(upload.request, upload.body))
        found += [_route(upload.read)] if upload.read else []
    if webhook := declared.webhook:
        found.append(_route(f"POST {webhook.path}", webhook.body))
    for step in app.smoke.steps:
        body = step.body if isinstance(step.body, dict) else {}
        found.append(_route(step.request, body, writes=step.status == 201))
    requests = (declared.signed_in, declared.admin, declared.refresh, declared.malformed, declared.limited)
    found += [_route(each) for each in requests if each]
    found += [_route(f"POST {cron.path}") for cron in app.cron.values() if cron.path]
    found += [_route(f"GET {path}") for path in app.load_paths]
    unique: dict[tuple[str, str], Route] = {}
    for each in found:
        unique.setdefault((each.method, shape(each.path)), each)
    return list(unique.values())


def shape(path: str) -> str:
    """A path without the names of its placeholders."""
    return re.sub(r"\$\{\w+\}", "${}", path)


def _route(
    request: str, body: Mapping[str, object] | None = None, *, undo: str = "", writes: bool = False
) -> Route:
    method, _, path = request.partition(" ")
    return Route(method, path, dict(body or {}), undo, writes)


@dataclass(frozen=True)
class Trial:
    """One hostile request."""

    route: Route
    method: str
    path: str
    content: bytes | None = None
    kind: str = "application/json"
    what: str = ""
    """How it differs from what the route expects."""

    def __str__(self) -> str:
        return f"{self.method} {self.path[:80]}" + (f" with {self.what}" if self.what else "")


def trials(route: Route) -> Iterator[Trial]:
    """What is tried at `route`: none of it is what the route expects."""
    placeholders = re.findall(r"\$\{\w+\}", route.path)
    plain = re.sub(r"\$\{\w+\}", "x", route.path)
    for value in IDS if placeholders else ():
        yield Trial(route, route.method, re.sub(r"\$\{\w+\}", lambda _, value=value: value, route.path))
    for method in METHODS:
        yield Trial(route, method, plain)
    if route.method == "GET":
        for query in QUERIES:
            yield Trial(route, "GET", f"{plain}{'&' if '?' in plain else '?'}{query}")
    if route.sends:
        yield Trial(route, "GET", plain)
        for content, kind in UNREADABLE:
            yield Trial(route, route.method, plain, content, kind, f"{content[:30]!r} as {kind}")
        if not route.writes:
            for name, value in ((name, value) for name in route.body for value in VALUES):
                yield _with(route, plain, {**_example(route.body), name: value}, f"{name} = {_short(value)}")


def random_trials(route: Route, luck: random.Random) -> Iterator[Trial]:
    """Further ones, without end: combinations that are in no list."""
    plain = re.sub(r"\$\{\w+\}", "x", route.path)
    while True:
        if route.body and not route.writes:
            example = _example(route.body)
            body = {name: _grown(luck, 3) if luck.random() < 0.7 else kept for name, kept in example.items()}
            if luck.random() < 0.2:
                body.pop(luck.choice(list(body)))
            yield _with(route, plain, body, f"body {_short(body)}")
        path = plain + "".join(
            luck.choice(["/", "?", "&a=", ";", "%", ".", "//"]) + _word(luck) for _ in range(3)
        )
        yield Trial(route, route.method if route.method != "DELETE" else "GET", path)


def _grown(luck: random.Random, depth: int) -> object:
    kind = luck.random()
    if depth and kind < 0.15:
        return [_grown(luck, depth - 1) for _ in range(luck.randrange(4))]
    if depth and kind < 0.3:
        return {_word(luck): _grown(luck, depth - 1) for _ in range(luck.randrange(4))}
    return luck.choice(VALUES) if kind < 0.7 else _word(luck)


def _word(luck: random.Random) -> str:
    letters = "abcXYZ019-_.~%\\/'\"<>{}[]$&;:,|\0\n\u00e4\u4e2d\u202e\ufffe"
    return "".join(luck.choice(letters) for _ in range(luck.randrange(12)))


def _with(route: Route, path: str, body: object, what: str) -> Trial:
    # ensure_ascii: a lone surrogate can be written in JSON, and in no encoding.
    return Trial(route, route.method, path, json.dumps(body).encode(), what=what)


def _example(body: Mapping[str, object]) -> dict[str, Any]:
    """The body with a harmless word for each placeholder: no password of the smoke user is guessed at."""
    text = re.sub(r'"\$\{size\}"', "10", json.dumps(body))
    return cast("dict[str, Any]", json.loads(re.sub(r"\$\{\w+\}", "check@example.com", text)))


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) < 60 else f"{text[:40]}… ({len(text)} characters)"
