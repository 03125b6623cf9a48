"""Health, request ids and caching of answers (X11, X13, I11, I13)."""

from __future__ import annotations

import re

from checks.exposed.sockets import parsed
from checks.kit.check import check, not_evaluated
from checks.kit.site import Site


@check(
    "X13",
    severity="medium",
    asvs="16.2.1",
    why="without a request id, a user's error cannot be found in the logs",
    remedy="send X-Request-Id on every answer",
)
def test_every_answer_has_a_request_id(site: Site) -> None:
    ids = [site.get(path).headers.get("x-request-id", "") for path in ("/", "/no-such-page", "/")]
    assert all(ids), "an answer has no X-Request-Id"
    assert len(set(ids)) == len(ids), f"two answers have the same id {ids[0]!r}"


@check(
    "X13",
    severity="low",
    asvs="16.4.1",
    why="an unchecked id lets a client inject lines into the logs",
    remedy="accept an id from a client only if it is short and alphanumeric",
)
def test_a_request_id_from_outside_cannot_hold_anything(site: Site) -> None:
    sent = "x" * 500 + '","level":"error'
    given = site.get("/", headers={"X-Request-Id": sent}).headers.get("x-request-id", "")
    assert given != sent, "a request id of 500 letters and quotes is accepted"


@check(
    "X11",
    "I11",
    severity="high",
    why="monitors need a health answer that they can parse",
    remedy="answer the health path with a JSON object that has checks.health_keys of slipway.toml",
    needs=("processes.web",),
)
def test_health_reports_status_time_and_version(site: Site) -> None:
    path, keys = _health(site), site.live.app.checks.health_keys
    answer = site.get(path)
    assert answer.status_code == 200, f"{path} answers {answer.status_code}"
    if not keys:
        not_evaluated("declare checks.health_keys in slipway.toml")
    document = parsed(answer.text)
    missing = set(keys) - set(document)
    assert not missing, f"{path} does not report {', '.join(sorted(missing))}"


@check(
    "X11",
    severity="medium",
    why="load balancers request the health path every few seconds",
    remedy="query neither database nor queue on the health path; readiness does",
    needs=("processes.web",),
)
def test_health_is_cheap(site: Site) -> None:
    # The fastest: what other checks and a busy machine add is not the path's cost.
    took = min(site.get(_health(site)).elapsed.total_seconds() for _ in range(15))
    assert took < 0.25, f"the fastest of 15 is {took * 1000:.0f} ms"


@check(
    "X11",
    severity="medium",
    why="a public health answer must not expose internals",
    remedy="leave hosts, addresses and services out of it",
    needs=("processes.web",),
)
def test_health_exposes_no_internals(site: Site) -> None:
    text = site.get(_health(site)).text.lower()
    for word in ("password", "postgres", "redis://", "secret"):
        assert word not in text, f"it holds {word!r}"
    # Three dots: an uptime of 110.53 s is no address.
    address = re.search(r"\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b", text)
    assert address is None, f"it holds the address {address[0]}" if address else ""


@check(
    "I13",
    severity="low",
    why="static files that cannot be cached are slow and cost bandwidth",
    remedy="send an ETag or a long max-age with static files, and put a CDN in front",
    needs=("checks.asset",),
)
def test_static_files_can_be_cached(site: Site) -> None:
    asset = site.live.app.checks.asset
    if asset is None:
        not_evaluated("declare checks.asset in slipway.toml")
    headers = site.get(asset).headers
    etag = headers.get("etag")
    if etag:
        again = site.get(asset, headers={"If-None-Match": etag})
        assert again.status_code == 304, f"{asset} with its own ETag is answered with {again.status_code}"
    else:
        assert "max-age" in headers.get("cache-control", ""), f"{asset} has neither ETag nor max-age"


def _health(site: Site) -> str:
    if site.live.app.web is None:
        not_evaluated("the app has no web process ([processes.web] in slipway.toml)")
    return site.live.app.web.health
