"""The tables of what is tried: policies, paths, requests."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import cast
from urllib.parse import unquote

import httpx
import pytest

from checks.exposed import test_errors
from checks.exposed.routes import Route, Trial, random_trials, trials
from checks.exposed.scanned import scanned, spellings
from checks.exposed.test_errors import AT_ONCE, at_random, what_breaks
from checks.exposed.test_headers import loose_sources
from checks.exposed.traces import trace_in
from checks.kit.site import Site


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


class App:
    """Answers what a test wants for the numbered request; a client of the edge sees no more of an app."""

    def __init__(self, answer: Callable[[int], int | httpx.TransportError]) -> None:
        self.sent = 0
        self._answer = answer
        self._turn = threading.Lock()

    def request(self, *_: object, **__: object) -> httpx.Response:
        with self._turn:
            self.sent += 1
            found = self._answer(self.sent)
        if isinstance(found, httpx.TransportError):
            raise found
        return httpx.Response(found)


def _endless(taken: list[Trial]) -> Iterator[Trial]:
    for trial in random_trials(Route("GET", "/api/config"), random.Random(7)):
        taken.append(trial)
        yield trial


def _sent_to(app: App, tries: Iterable[Trial], enough: int | None = None) -> list[str]:
    return what_breaks(cast("Site", app), tries, {}, enough=enough)


def test_random_requests_are_made_when_they_are_sent_and_end_with_the_first_that_breaks_the_app() -> None:
    taken: list[Trial] = []
    app = App(lambda number: 500 if number == 40 else 400)
    found = _sent_to(app, _endless(taken), enough=1)
    assert len(found) == 1
    assert found[0].endswith("answers 500")
    assert 40 <= app.sent <= len(taken) < 40 + 2 * AT_ONCE


@pytest.mark.parametrize(
    "once", [httpx.RemoteProtocolError("closed"), httpx.ConnectError("refused"), 503], ids=str
)
def test_what_happens_once_and_may_have_another_cause_breaks_nothing(
    once: int | httpx.TransportError, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(test_errors, "RECONNECT", (0.0,))
    trial = next(random_trials(Route("GET", "/api/config"), random.Random(7)))
    assert _sent_to(App(lambda number: once if number == 1 else 400), [trial]) == []


@pytest.mark.parametrize(
    "always", [httpx.RemoteProtocolError("closed"), httpx.ReadTimeout("slow"), 503], ids=str
)
def test_what_happens_again_is_a_finding(always: int | httpx.TransportError) -> None:
    trial = next(random_trials(Route("GET", "/api/config"), random.Random(7)))
    assert len(_sent_to(App(lambda _: always), [trial])) == 1


def test_a_site_that_takes_no_connection_is_no_finding_about_a_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(test_errors, "RECONNECT", (0.0,))
    trial = next(random_trials(Route("GET", "/api/config"), random.Random(7)))
    with pytest.raises(httpx.ConnectError):
        _sent_to(App(lambda _: httpx.ConnectError("refused")), [trial])


def test_the_same_seed_gives_the_same_requests() -> None:
    several = [Route("GET", "/api/config"), Route("POST", "/api/tasks", {"title": "x"})]
    assert list(map(str, islice(at_random(several, 7), 50))) == list(
        map(str, islice(at_random(several, 7), 50))
    )
    assert list(at_random([], 7)) == []
