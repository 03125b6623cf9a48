"""Security headers (X2)."""

from __future__ import annotations

import re

import httpx
import pytest

from checks.kit.check import check, not_evaluated
from checks.kit.site import Person, Site

PATHS = ("/", "/no-such-page")
"""A page, and an error: forgetting the headers on errors is the usual mistake."""
VERSIONED = ("server", "x-powered-by", "x-aspnet-version", "x-aspnetmvc-version", "x-generator", "via")
"""Headers that tend to hold a version."""
REFUSALS = {
    "strict-transport-security": r"max-age=\d{8}",
    "x-content-type-options": "^nosniff$",
    "x-request-id": r"^\S{8,}$",
}
"""What every refusal has, and a pattern of it."""


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
    _needs_a_page(site)
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
    _needs_a_page(site)
    assert "'none'" in _policy(site).get("frame-ancestors", ""), "no frame-ancestors 'none' in the policy"


@check(
    "X2",
    severity="low",
    standard="OWASP secure headers",
    why="the old XSS auditor can itself be exploited",
    remedy="send X-XSS-Protection: 0",
)
def test_the_xss_auditor_is_off(site: Site) -> None:
    _needs_a_page(site)
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
    _needs_a_page(site)
    policy = _policy(site)
    assert policy, "no Content-Security-Policy"
    assert "default-src" in policy, "it has no default-src, so what it does not name is allowed"
    for directive in ("script-src", "script-src-elem", "script-src-attr", "worker-src"):
        if found := loose_sources(policy.get(directive, policy.get("script-src", policy["default-src"]))):
            pytest.fail(f"{directive}: scripts may come from {', '.join(found)}")


@check(
    "X2",
    severity="medium",
    asvs="3.4.3",
    why="an injected <base> or plugin bypasses script-src",
    remedy="base-uri 'none' or 'self', and object-src 'none' (or default-src 'none')",
)
def test_the_csp_restricts_base_uri_and_plugins(site: Site) -> None:
    _needs_a_page(site)
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
    _needs_a_page(site)
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
        for name in VERSIONED:
            value = headers.get(name, "")
            assert not re.search(r"\d+\.\d+", value), f"{path}: {name} is {value!r}"


@check(
    "X2",
    "X13",
    severity="medium",
    asvs="3.4.4",
    why="refusals are answers too: a browser, a scanner and an attacker see them before anything else",
    remedy="set the headers where every answer passes, also those that the proxy makes: http-after-response",
)
def test_refusals_have_the_headers_too(site: Site) -> None:
    wrong: list[str] = []
    for what, answer in _refusals(site).items():
        headers = answer.headers
        for name, good in REFUSALS.items():
            if not re.search(good, headers.get(name, ""), re.IGNORECASE):
                wrong.append(f"{what} ({answer.status_code}): {name} is {headers.get(name)!r}")
        for name in VERSIONED:
            if re.search(r"\d+\.\d+", headers.get(name, "")):
                wrong.append(f"{what} ({answer.status_code}): {name} is {headers[name]!r}")
        if shown := re.search(
            r"(nginx|haproxy|apache|openresty|envoy|caddy)/[\d.]+", answer.text, re.IGNORECASE
        ):
            wrong.append(f"{what} ({answer.status_code}): the page names {shown[0]}")
    assert not wrong, "; ".join(wrong[:4])


@check(
    "X2",
    "X16",
    severity="medium",
    asvs="14.3.2",
    why="a cached answer for one user could be served to another",
    remedy="send Cache-Control: no-store on answers of the API",
    needs=("smoke.steps", "checks.signed_in"),
)
def test_answers_of_the_api_are_not_cached(person: Person, signed_in: tuple[str, str]) -> None:
    method, path = signed_in
    value = person.request(method, path).headers.get("cache-control", "")
    assert "no-store" in value, f"{path}: Cache-Control is {value!r}"


def _needs_a_page(site: Site) -> None:
    """End the check if `/` is nothing that a browser shows as a page: these headers are for pages."""
    kind = site.get("/").headers.get("content-type", "")
    if not kind.startswith(("text/html", "application/xhtml")):
        not_evaluated(f"/ is no HTML page, but {kind or 'without a content type'}")


def _same(site: Site, path: str, name: str, wanted: str) -> None:
    value = site.get(path).headers.get(name)
    assert value is not None, f"{path}: no {name}"
    assert value.lower() == wanted, f"{path}: {name} is {value!r}, not {wanted!r}"


def _refusals(site: Site) -> dict[str, httpx.Response]:
    """Refusals: the app's own, and those that the edge makes before the app sees a request."""
    private = next(iter(site.live.app.private_paths), "/-/")
    return {
        "an unknown page": site.get("/no-such-page"),
        "a private path": site.get(private),
        "a path outside the site": site.get("/%2e%2e/x"),
        "a foreign Host": site.get("/", headers={"Host": "evil.example"}),
        "an unknown method": site.request("PROPFIND", "/"),
    }


def loose_sources(sources: str) -> list[str]:
    """Sources by which anyone's script runs: any inline text, any host of a scheme, any host at all. Pure."""
    words = sources.lower().split()
    trusted = any(word.startswith(("'nonce-", "'sha256-", "'sha384-", "'sha512-")) for word in words)
    ignored = {"'unsafe-inline'"} if trusted else set[str]()
    if trusted and "'strict-dynamic'" in words:
        # Such a policy names hosts and schemes for old browsers only.
        ignored |= {word for word in words if not word.startswith("'")}
    return [
        word
        for word in words
        if word not in ignored
        and (word in ("'unsafe-inline'", "'unsafe-eval'", "'unsafe-hashes'") or _any_host(word))
    ]


def _any_host(source: str) -> bool:
    """Whether a source names no particular host: `https:`, `*`, `https://*`, `*.com`, `*:443`. Pure."""
    if re.fullmatch(r"[a-z][a-z0-9+.-]*:", source):
        return True
    host = re.sub(r"^[a-z]+://", "", source).partition("/")[0].partition(":")[0]
    return host == "*" or (host.startswith("*.") and host.count(".") < 2)


def _policy(site: Site) -> dict[str, str]:
    """The Content-Security-Policy of the page by directive."""
    text = site.get("/").headers.get("content-security-policy", "")
    parts = (part.strip().partition(" ") for part in text.split(";"))
    return {name.lower(): value.strip() for name, _, value in parts if name}
