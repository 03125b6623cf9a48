"""Security headers (X2)."""

from __future__ import annotations

import re

import pytest

from checks.kit.check import check
from checks.kit.site import Site

PATHS = ("/", "/no-such-page")
"""A page, and an error: forgetting the headers on errors is the usual mistake."""


@check(
    "X2",
    severity="medium",
    asvs="3.4.4",
    standard="Mozilla Observatory: x-content-type-options",
    why="a browser that guesses content types may run an uploaded text as a script",
    remedy="send X-Content-Type-Options: nosniff on every answer",
)
def test_types_are_not_guessed(site: Site) -> None:
    for path in PATHS:
        _same(site, path, "x-content-type-options", "nosniff")


@check(
    "X2",
    severity="medium",
    asvs="3.4.6",
    standard="DevSec nginx-08; Mozilla Observatory: x-frame-options",
    why="in another site's frame, users can be tricked into clicking (clickjacking)",
    remedy="send X-Frame-Options: DENY on every answer",
)
def test_framing_is_denied(site: Site) -> None:
    for path in PATHS:
        _same(site, path, "x-frame-options", "deny")


@check(
    "X2",
    severity="medium",
    asvs="3.4.6",
    why="browsers that support frame-ancestors ignore X-Frame-Options",
    remedy="add frame-ancestors 'none' to the Content-Security-Policy",
)
def test_the_csp_denies_framing_too(site: Site) -> None:
    assert "'none'" in _policy(site).get("frame-ancestors", ""), "no frame-ancestors 'none' in the policy"


@check(
    "X2",
    severity="low",
    standard="OWASP secure headers",
    why="the old XSS auditor can itself be exploited",
    remedy="send X-XSS-Protection: 0",
)
def test_the_xss_auditor_is_off(site: Site) -> None:
    _same(site, "/", "x-xss-protection", "0")


@check(
    "X2",
    severity="high",
    asvs="3.4.3",
    standard="Mozilla Observatory: csp",
    why="without a policy, one injected script can take over every session",
    remedy="send a Content-Security-Policy with default-src and script-src",
)
def test_a_csp_says_where_scripts_may_come_from(site: Site) -> None:
    policy = _policy(site)
    assert policy, "no Content-Security-Policy"
    assert "default-src" in policy, "it has no default-src, so what it does not name is allowed"
    scripts = policy.get("script-src", policy["default-src"])
    for word in ("'unsafe-inline'", "'unsafe-eval'", "*", "http:", "data:"):
        assert word not in scripts.split(), f"scripts may come from {word}"


@check(
    "X2",
    severity="medium",
    asvs="3.4.3",
    why="an injected <base> or plugin bypasses script-src",
    remedy="base-uri 'none' or 'self', and object-src 'none' (or default-src 'none')",
)
def test_the_csp_restricts_base_uri_and_plugins(site: Site) -> None:
    policy = _policy(site)
    assert policy.get("base-uri") in ("'none'", "'self'"), f"base-uri is {policy.get('base-uri')!r}"
    objects = policy.get("object-src", policy.get("default-src"))
    assert objects == "'none'", f"plugins may come from {objects!r}"


@check(
    "X2",
    severity="low",
    asvs="3.4.5",
    standard="Mozilla Observatory: referrer-policy",
    why="full URLs, with ids in them, would be sent to every linked site",
    remedy="send Referrer-Policy: strict-origin-when-cross-origin or stricter",
)
def test_referrers_are_kept_short(site: Site) -> None:
    value = site.get("/").headers.get("referrer-policy", "")
    good = {"no-referrer", "same-origin", "strict-origin", "strict-origin-when-cross-origin"}
    assert value.lower() in good, f"Referrer-Policy is {value!r}"


@check(
    "X2",
    severity="low",
    asvs="13.4.6",
    standard="DevSec nginx-02",
    why="a version number tells an attacker which vulnerabilities to try",
    remedy="remove Server and X-Powered-By, or their version",
)
def test_no_header_shows_a_version(site: Site) -> None:
    for path in PATHS:
        headers = site.get(path).headers
        for name in ("server", "x-powered-by", "x-aspnet-version", "via"):
            value = headers.get(name, "")
            assert not re.search(r"\d+\.\d+", value), f"{path}: {name} is {value!r}"


@check(
    "X2",
    "X16",
    severity="medium",
    asvs="14.3.2",
    why="a cached answer for one user could be served to another",
    remedy="send Cache-Control: no-store on answers of the API",
)
def test_answers_of_the_api_are_not_cached(site: Site) -> None:
    of_app = site.live.app
    if not of_app.checks.signed_in:
        pytest.skip("no request is declared")
    path = of_app.checks.signed_in.partition(" ")[2]
    value = site.get(path).headers.get("cache-control", "")
    assert "no-store" in value, f"{path}: Cache-Control is {value!r}"


def _same(site: Site, path: str, name: str, wanted: str) -> None:
    value = site.get(path).headers.get(name)
    assert value is not None, f"{path}: no {name}"
    assert value.lower() == wanted, f"{path}: {name} is {value!r}, not {wanted!r}"


def _policy(site: Site) -> dict[str, str]:
    """The Content-Security-Policy of the page by directive."""
    text = site.get("/").headers.get("content-security-policy", "")
    parts = (part.strip().partition(" ") for part in text.split(";"))
    return {name.lower(): value.strip() for name, _, value in parts if name}
