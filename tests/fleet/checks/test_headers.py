"""Headers of answers, seen red where one is missing or says too much."""

from __future__ import annotations

import pytest

from tests.fleet.checks.breaking import edge, header, without
from tests.fleet.checks.harness import Case, prove
from tests.fleet.site import Site

POLICY = (
    "default-src 'none'; script-src {scripts}; base-uri {base}; object-src 'none'; frame-ancestors {frame}"
)
FULL = {"scripts": "'self'", "base": "'none'", "frame": "'none'"}


def policy(**changed: str) -> str:
    return header("Content-Security-Policy", POLICY.format(**{**FULL, **changed}))


HEADERS = (
    Case(
        "no nosniff", edge(without("X-Content-Type-Options")), red=("X2/types-are-not-guessed",), ask=("X2",)
    ),
    Case(
        "framing allowed",
        edge(header("X-Frame-Options", "SAMEORIGIN")),
        red=("X2/framing-is-denied",),
        ask=("X2",),
    ),
    Case(
        "a policy without frame-ancestors",
        edge(policy(frame="*")),
        red=("X2/the-csp-denies-framing-too",),
        ask=("X2",),
    ),
    Case(
        "the XSS auditor on",
        edge(header("X-XSS-Protection", "1; mode=block")),
        red=("X2/the-xss-auditor-is-off",),
        ask=("X2",),
    ),
    Case(
        "inline scripts allowed",
        edge(policy(scripts="'self' 'unsafe-inline'")),
        red=("X2/a-csp-says-where-scripts-may-come-from",),
        ask=("X2",),
        says="unsafe-inline",
    ),
    Case(
        "any base allowed",
        edge(policy(base="*")),
        red=("X2/the-csp-restricts-base-uri-and-plugins",),
        ask=("X2",),
    ),
    Case(
        "whole referrers",
        edge(header("Referrer-Policy", "unsafe-url")),
        red=("X2/referrers-are-kept-short",),
        ask=("X2",),
    ),
    Case(
        "a version told",
        edge(header("Server", "nginx/1.18.0")),
        red=("X2/no-header-shows-a-version",),
        ask=("X2",),
    ),
    Case(
        "answers of the API kept by caches",
        edge(header("Cache-Control", "public, max-age=600", "{ var(txn.path) -m beg /api/ }")),
        red=("X2/answers-of-the-api-are-not-cached",),
        ask=("X2",),
    ),
    Case("no request id", edge(without("X-Request-Id")), red=("X13/every-answer-has-a-request-id",)),
    Case(
        "a request id taken over as it comes",
        edge(drop="set-header X-Request-Id %.uuid", at="    acl named_well"),
        red=("X13/a-request-id-from-outside-cannot-hold-anything", "X13/every-answer-has-a-request-id"),
        says="500 letters",
    ),
    Case(
        "nothing to keep a static file by",
        edge(without("ETag"), without("Cache-Control"), without("Last-Modified")),
        red=("I13/static-files-can-be-cached",),
    ),
)


@pytest.mark.parametrize("case", HEADERS, ids=str)
def test_it_is_told(whole: Site, case: Case) -> None:
    prove(whole, case)
