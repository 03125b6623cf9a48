"""No request makes the app break: no 5xx, no cut connection, no trace of the inside (P10, X16)."""

from __future__ import annotations

import json
import random
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import httpx
import pytest

from checks.exposed.openapi import documented
from checks.exposed.routes import METHODS, Route, Trial, random_trials, routes, shape, trials
from checks.exposed.traces import trace_in
from checks.kit.check import check
from checks.kit.site import Site
from slipway.traffic import pick

AT_ONCE = 8
FUZZ_SECONDS = 20.0
"""How long --deep sends random requests."""


@pytest.fixture(scope="module")
def identity(site: Site, request: pytest.FixtureRequest) -> Mapping[str, str]:
    """The smoke user's headers; none if the app has no sign-in."""
    return request.getfixturevalue("person").session.headers if site.live.app.smoke.steps else {}


@check(
    "P10",
    "X16",
    severity="high",
    asvs="16.5.1",
    standard="OWASP API8:2023",
    why="what a strange request can break, anyone can break on purpose; and an error often tells how",
    remedy="validate path, query and body against a schema before use; slipway logs shows what was raised",
)
def test_no_declared_route_breaks(site: Site, identity: Mapping[str, str]) -> None:
    tries = [trial for route in _every(site) for trial in trials(route)]
    broken = _broken(site, tries, identity)
    assert not broken, f"{len(broken)} of {len(tries)} requests: {'; '.join(broken[:4])}"


@check(
    "P10",
    "X16",
    severity="high",
    asvs="16.5.1",
    standard="OWASP WSTG-INPV",
    why="combinations that were not thought of are what breaks a parser",
    remedy="validate path, query and body against a schema before use; the seed repeats the run",
    deep=True,
)
def test_random_requests_break_nothing(site: Site, identity: Mapping[str, str]) -> None:
    seed = secrets.randbelow(1_000_000)
    luck = random.Random(seed)  # noqa: S311 - luck for requests, not for secrets
    endless = [random_trials(route, luck) for route in _every(site)]
    ends = time.monotonic() + FUZZ_SECONDS

    def until() -> Iterator[Trial]:
        while time.monotonic() < ends:
            yield from (next(each) for each in endless)

    broken: list[str] = []
    while time.monotonic() < ends and not broken:
        broken = _broken(site, until(), identity)
    assert not broken, f"seed {seed}: {'; '.join(broken[:4])}"


def _every(site: Site) -> list[Route]:
    """The routes that slipway.toml names, and those of the app's OpenAPI document."""
    app = site.live.app
    named = routes(app)
    known = {(route.method, shape(route.path)) for route in named}
    more = documented(site.live.app_dir, app.checks.openapi)
    return named + [route for route in more if (route.method, shape(route.path)) not in known]


def _broken(site: Site, tries: Iterable[Trial], identity: Mapping[str, str]) -> list[str]:
    """What broke, one text each, the same text once."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = pool.map(partial(_try, site, identity), tries)
        return list(dict.fromkeys(each for each in found if each))


def _try(site: Site, identity: Mapping[str, str], trial: Trial) -> str:
    headers = {**identity, **({"Content-Type": trial.kind} if trial.content is not None else {})}
    try:
        answer = site.request(trial.method, trial.path, content=trial.content, headers=headers)
    except httpx.InvalidURL:
        return ""
    except httpx.TransportError as error:
        return f"{trial} is cut off ({type(error).__name__})"
    if answer.is_success:
        _undo(site, trial, answer, identity)
    # 501: a method that the server does not know.
    if answer.status_code >= 500 and not (answer.status_code == 501 and trial.method in METHODS):
        return f"{trial} answers {answer.status_code}"
    if answer.status_code >= 400 and (trace := trace_in(answer.text)):
        return f"{trial}: the answer holds {trace!r}"
    return ""


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
