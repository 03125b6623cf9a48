"""Header checks fail where one is missing or exposes too much."""

from __future__ import annotations

import pytest

from tests.fleet.checks.breaking import edge, header, without
from tests.fleet.checks.harness import Case, prove
from tests.fleet.site import Site

LAST = "    # An unknown name:"
"""Before this line of the edge's configuration, which follows all headers."""
POLICY = (
    "default-src 'none'; script-src {scripts}; base-uri {base}; object-src 'none'; frame-ancestors {frame}"
)
FULL = {"scripts": "'self'", "base": "'none'", "frame": "'none'"}


def policy(**changed: str) -> str:
    return header("Content-Security-Policy", POLICY.format(**{**FULL, **changed}))


HEADERS = (
    Case(
        "no nosniff",
        edge(without("X-Content-Type-Options")),
        red=("X2/types-are-not-guessed", "X2/refusals-have-the-headers-too"),
        run=("X2",),
    ),
    Case(
        "framing allowed",
        edge(header("X-Frame-Options", "SAMEORIGIN")),
        red=("X2/framing-is-denied",),
        run=("X2",),
    ),
    Case(
        "a policy without frame-ancestors",
        edge(policy(frame="*")),
        red=("X2/the-csp-denies-framing-too",),
        run=("X2",),
    ),
    Case(
        "the XSS auditor on",
        edge(header("X-XSS-Protection", "1; mode=block")),
        red=("X2/the-xss-auditor-is-off",),
        run=("X2",),
    ),
    Case(
        "inline scripts allowed",
        edge(policy(scripts="'self' 'unsafe-inline'")),
        red=("X2/a-csp-says-where-scripts-may-come-from",),
        run=("X2",),
        says="unsafe-inline",
    ),
    Case(
        "scripts of any https site",
        edge(policy(scripts="'self' https:")),
        red=("X2/a-csp-says-where-scripts-may-come-from",),
        run=("X2",),
        says="https:",
    ),
    Case(
        "scripts of any host of a scheme",
        edge(policy(scripts="'self' https://*")),
        red=("X2/a-csp-says-where-scripts-may-come-from",),
        run=("X2",),
        says="https://*",
    ),
    Case(
        "scripts of a whole top level domain",
        edge(policy(scripts="'self' *.com")),
        red=("X2/a-csp-says-where-scripts-may-come-from",),
        run=("X2",),
        says="*.com",
    ),
    Case(
        "script elements from anywhere",
        edge(policy(scripts="'self'; script-src-elem * blob:")),
        red=("X2/a-csp-says-where-scripts-may-come-from",),
        run=("X2",),
        says="script-src-elem",
    ),
    Case(
        "refusals without nosniff",
        edge(without("X-Content-Type-Options", "{ status 421 }"), at=LAST),
        red=("X2/refusals-have-the-headers-too",),
        run=("X2",),
        says="foreign Host",
    ),
    Case(
        "refusals that show a version",
        edge(header("Server", "nginx/1.18.0", "{ status 400 421 }"), at=LAST),
        red=("X2/refusals-have-the-headers-too",),
        run=("X2",),
        says="nginx/1.18.0",
    ),
    Case(
        "refusals without HSTS",
        edge(without("Strict-Transport-Security", "{ status 400 }"), at=LAST),
        red=("X2/refusals-have-the-headers-too",),
        run=("X2",),
        says="strict-transport-security",
    ),
    Case(
        "any base allowed",
        edge(policy(base="*")),
        red=("X2/the-csp-restricts-base-uri-and-plugins",),
        run=("X2",),
    ),
    Case(
        "full referrers",
        edge(header("Referrer-Policy", "unsafe-url")),
        red=("X2/referrers-are-kept-short",),
        run=("X2",),
    ),
    Case(
        "a version in a header",
        edge(header("Server", "nginx/1.18.0")),
        red=("X2/no-header-shows-a-version", "X2/refusals-have-the-headers-too"),
        run=("X2",),
    ),
    Case(
        "answers of the API are cached",
        edge(header("Cache-Control", "public, max-age=600", "{ var(txn.path) -m beg /api/ }")),
        red=("X2/answers-of-the-api-are-not-cached",),
        run=("X2",),
    ),
    Case(
        "no request id",
        edge(without("X-Request-Id")),
        red=("X13/every-answer-has-a-request-id", "X2/refusals-have-the-headers-too"),
    ),
    Case(
        "any request id is accepted",
        edge(drop="set-header X-Request-Id %.uuid", at="    acl named_well"),
        red=(
            "X13/a-request-id-from-outside-cannot-hold-anything",
            "X13/every-answer-has-a-request-id",
            "X2/refusals-have-the-headers-too",
        ),
        says="500 letters",
    ),
    Case(
        "a static file without ETag",
        edge(without("ETag"), without("Cache-Control"), without("Last-Modified")),
        red=("I13/static-files-can-be-cached",),
    ),
)


@pytest.mark.parametrize("case", HEADERS, ids=str)
def test_the_check_fails(whole: Site, case: Case) -> None:
    prove(whole, case)
