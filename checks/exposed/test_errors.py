"""No request makes the app break: no 5xx, no cut connection, no trace of the inside (P10, X16)."""

from __future__ import annotations

import json
import random
import secrets
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, islice, takewhile
from typing import cast

import httpx
import pytest

from checks.exposed.openapi import documented
from checks.exposed.routes import METHODS, Route, Trial, random_trials, routes, shape, trials
from checks.exposed.traces import trace_in
from checks.kit.check import check
from checks.kit.roots import Roots
from checks.kit.site import Site
from slipway.traffic import pick, sign_in_steps

AT_ONCE = 8
FUZZ_SECONDS = 20.0
FUZZ_REQUESTS = 10_000
"""How long --deep sends random requests, and how many at most."""
BUSY = (502, 503, 504)
"""How a proxy answers for an app that is away or too busy, whatever the request was."""
RECONNECT = (0.1, 0.5, 2.0)
"""Pauses in seconds before a connection that was not made is tried again."""


@check(
    "P10",
    "X16",
    severity="high",
    asvs="16.5.1",
    standard="OWASP API8:2023",
    why="what a strange request can break, anyone can break on purpose; and an error often tells how",
    remedy="validate path, query and body against a schema before use; slipway logs shows what was raised",
    ahead=True,
)
def test_no_declared_route_breaks(site: Site, roots: Roots) -> None:
    tries = [trial for route in _every(site) for trial in trials(route)]
    broken = what_breaks(site, tries, _identity(site, roots))
    assert not broken, f"{len(broken)} of {len(tries)} requests: {'; '.join(broken[:4])}"


@check(
    "P10",
    "X16",
    severity="high",
    asvs="16.5.1",
    standard="OWASP WSTG-INPV",
    why="combinations that were not thought of are what breaks a parser",
    remedy="validate path, query and body against a schema before use; --deep --seed N repeats the requests",
    deep=True,
)
def test_random_requests_break_nothing(site: Site, roots: Roots, pytestconfig: pytest.Config) -> None:
    identity = _identity(site, roots)
    given = cast("int | None", pytestconfig.getoption("--seed"))
    seed = secrets.randbelow(1_000_000) if given is None else given
    ends = time.monotonic() + FUZZ_SECONDS
    tries = takewhile(lambda _: time.monotonic() < ends, islice(at_random(_every(site), seed), FUZZ_REQUESTS))
    broken = what_breaks(site, tries, identity, enough=1)
    assert not broken, f"seed {seed}: {'; '.join(broken[:4])}"


def _identity(site: Site, roots: Roots) -> Mapping[str, str]:
    """The smoke user's headers; none if the app has no sign-in."""
    return roots.person().identity if sign_in_steps(site.live.app) else {}


def at_random(routes: Sequence[Route], seed: int) -> Iterator[Trial]:
    """Random trials without end, the routes in turn; the same ones for the same seed."""
    luck = random.Random(seed)  # noqa: S311 - luck for requests, not for secrets
    return chain.from_iterable(zip(*(random_trials(route, luck) for route in routes), strict=False))


def _every(site: Site) -> list[Route]:
    """The routes that slipway.toml names, and those of the app's OpenAPI document."""
    app = site.live.app
    named = routes(app)
    known = {(route.method, shape(route.path)) for route in named}
    more = documented(site.live.app_dir, app.checks.openapi)
    return named + [route for route in more if (route.method, shape(route.path)) not in known]


def what_breaks(
    site: Site, tries: Iterable[Trial], identity: Mapping[str, str], *, enough: int | None = None
) -> list[str]:
    """What broke, one text each, the same text once; after `enough` of them no more is sent.

    A trial is taken from `tries` when it can be sent and not before, so `tries` may watch the time.
    """
    waiting, turn = iter(tries), threading.Lock()
    found: dict[str, None] = {}

    def send() -> None:
        while enough is None or len(found) < enough:
            with turn:
                trial = next(waiting, None)
            if trial is None:
                return
            if broke := _try(site, identity, trial):
                found[broke] = None

    with ThreadPoolExecutor(AT_ONCE) as pool:
        senders = [pool.submit(send) for _ in range(AT_ONCE)]
    for sender in senders if not found else ():
        sender.result()
    return list(found)


def _try(site: Site, identity: Mapping[str, str], trial: Trial) -> str:
    """How `trial` breaks the app; empty: it does not. What may have another cause has to happen twice."""
    try:
        broke, certain = _judged(site, identity, trial)
        return broke if certain or not broke else _judged(site, identity, trial)[0]
    except httpx.InvalidURL:
        return ""


def _judged(site: Site, identity: Mapping[str, str], trial: Trial) -> tuple[str, bool]:
    """How `trial` breaks the app, and whether the request alone can be the cause."""
    try:
        answer = _answer(site, identity, trial)
    except (httpx.ReadError, httpx.ReadTimeout, httpx.WriteError, httpx.RemoteProtocolError) as error:
        return f"{trial} is cut off ({type(error).__name__})", False
    if answer.is_success:
        _undo(site, trial, answer, identity)
    # 501: a method that the server does not know.
    if answer.status_code >= 500 and not (answer.status_code == 501 and trial.method in METHODS):
        return f"{trial} answers {answer.status_code}", answer.status_code not in BUSY
    if answer.status_code >= 400 and (trace := trace_in(answer.text)):
        return f"{trial}: the answer holds {trace!r}", True
    return "", True


def _answer(site: Site, identity: Mapping[str, str], trial: Trial) -> httpx.Response:
    headers = {**identity, **({"Content-Type": trial.kind} if trial.content is not None else {})}
    for pause in RECONNECT:
        try:
            return site.request(trial.method, trial.path, content=trial.content, headers=headers)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            # Nothing was sent, so this request has broken nothing.
            time.sleep(pause)
    return site.request(trial.method, trial.path, content=trial.content, headers=headers)


def _undo(site: Site, trial: Trial, answer: httpx.Response, identity: Mapping[str, str]) -> None:
    """Delete what a request that was accepted against all odds has written."""
    if not trial.route.undo or trial.content is None:
        return
    try:
        made = pick(json.loads(answer.text), "id")
    except (ValueError, KeyError):
        return
    method, _, path = trial.route.undo.partition(" ")
    site.request(method, path.replace("${id}", made), headers=dict(identity))
