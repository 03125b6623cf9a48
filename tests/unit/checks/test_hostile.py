"""The tables of what is tried: policies, paths, requests."""

from __future__ import annotations

import random
from itertools import islice
from urllib.parse import unquote

import pytest

from checks.exposed.routes import Route, random_trials, trials
from checks.exposed.scanned import scanned, spellings
from checks.exposed.test_headers import loose_sources
from checks.exposed.traces import trace_in


@pytest.mark.parametrize(
    ("sources", "found"),
    [
        ("'self'", []),
        ("'self' https://cdn.example.com *.example.com", []),
        ("'self' https:", ["https:"]),
        ("'self' https://*", ["https://*"]),
        ("'self' http://*:80", ["http://*:80"]),
        ("*.com", ["*.com"]),
        ("* data: blob:", ["*", "data:", "blob:"]),
        ("'self' 'unsafe-inline'", ["'unsafe-inline'"]),
        ("'nonce-abc' 'unsafe-inline'", []),
        ("'nonce-abc' 'strict-dynamic' https: 'unsafe-inline'", []),
        ("'strict-dynamic' https:", ["https:"]),
        ("'nonce-abc' 'unsafe-eval'", ["'unsafe-eval'"]),
    ],
)
def test_loose_sources_of_a_policy(sources: str, found: list[str]) -> None:
    assert loose_sources(sources) == found


def test_every_spelling_differs_from_the_path_and_holds_its_name() -> None:
    written = spellings("/metrics", "https://site.example")
    assert len(written) >= 55
    assert len(set(written)) == len(written)
    assert "/metrics" not in written
    decoded = [unquote(unquote(each, "latin-1"), "latin-1").lower() for each in written]
    assert [each for each in decoded if "metrics" not in each] == []
    assert any("\\" in each for each in written)


def test_the_scanners_list_is_long_and_spares_what_a_page_has() -> None:
    paths = scanned("shop.example", "board")
    assert len(paths) >= 700
    assert len(set(paths)) == len(paths)
    assert {"/shop.zip", "/board.sql", "/.git/index", "/api/.env.production", "/main.js~"} <= set(paths)
    assert not {"/", "/main.js", "/index.html", "/favicon.ico", "/robots.txt", "/config.json"} & set(paths)


def test_a_route_that_writes_for_good_gets_no_body_that_could_succeed() -> None:
    lasting = Route("POST", "/api/orders", {"title": "x"}, writes=True)
    undone = Route("POST", "/api/tasks", {"title": "x"}, undo="DELETE /api/tasks/${id}")
    assert not [trial for trial in trials(lasting) if trial.what.startswith("title")]
    assert [trial for trial in trials(undone) if trial.what.startswith("title")]


def test_no_method_that_deletes_is_sent_to_a_whole_path() -> None:
    removal = Route("DELETE", "/api/tasks/${id}")
    sent = [trial for trial in trials(removal) if trial.method == "DELETE"]
    assert sent
    assert not [trial for trial in sent if trial.path in ("/api/tasks", "/api/tasks/", "/api/tasks/${id}")]
    assert "DELETE" not in {trial.method for trial in islice(random_trials(removal, random.Random(7)), 200)}


def test_a_placeholder_of_a_secret_never_leaves() -> None:
    sign_in = Route("POST", "/sign-in", {"email": "${SMOKE_EMAIL}", "password": "${SMOKE_PASSWORD}"})
    tried = [*trials(sign_in), *islice(random_trials(sign_in, random.Random(7)), 200)]
    assert not [trial for trial in tried if "SMOKE_" in str(trial.content)]


@pytest.mark.parametrize(
    "text",
    [
        "TypeError: x is undefined at handler (/app/src/web.ts:12:7)",
        'File "app.py", line 3, in <module>',
        "panicked at src/main.rs:4:5",
        "PostgresError: syntax error at or near",
        "goroutine 1 [running]:",
    ],
)
def test_traces_of_several_languages_are_found(text: str) -> None:
    assert trace_in(text)


def test_a_plain_error_holds_no_trace() -> None:
    assert trace_in('{"error":{"code":"INVALID","message":"not valid: body","requestId":"a1b2"}}') == ""
