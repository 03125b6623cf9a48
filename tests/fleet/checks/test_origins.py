"""CORS and cookie checks fail where other sites may do too much."""

from __future__ import annotations

import pytest

from tests.fleet.checks.breaking import Break, edge, header, uploads, without
from tests.fleet.checks.harness import Case, prove
from tests.fleet.site import Site

ECHOED = "{ var(txn.origin) -m found }"


def cookie(attribute: str) -> str:
    return rf"http-after-response replace-header Set-Cookie '^(.*);\s*{attribute}[^;]*(.*)$' '\1\2'"


def echoing(condition: str, *before: str) -> Break:
    """The edge that permits the origins for which `condition` holds."""
    return edge(
        *before,
        header("Access-Control-Allow-Origin", "%[var(txn.origin)]", condition),
        header("Vary", "Origin"),
    )


ORIGINS = (
    Case(
        "every origin echoed",
        edge(
            header("Access-Control-Allow-Origin", "%[var(txn.origin)]", ECHOED),
            header("Vary", "Origin"),
        ),
        red=("X3/foreign-origins-may-not-read", "X3/foreign-origins-get-no-preflight"),
        run=("X3",),
    ),
    Case(
        "an origin with our name as its prefix",
        edge(
            header(
                "Access-Control-Allow-Origin",
                "%[var(txn.origin)]",
                "{ var(txn.origin) -m sub localhost.evil.example }",
            )
        ),
        red=("X3/foreign-origins-may-not-read", "X3/foreign-origins-get-no-preflight"),
        run=("X3",),
        says="localhost.evil.example",
    ),
    Case(
        "an origin with our name as its end",
        echoing("{ var(txn.origin) -m reg localhost(:[0-9]+)?$ } { var(txn.origin) -m sub evil }"),
        red=("X3/foreign-origins-may-not-read", "X3/foreign-origins-get-no-preflight"),
        run=("X3",),
        says="evil",
    ),
    Case(
        "our name by plain HTTP",
        echoing("{ var(txn.origin) -m beg http://localhost }"),
        red=("X3/foreign-origins-may-not-read", "X3/foreign-origins-get-no-preflight"),
        run=("X3",),
        says="http://localhost",
    ),
    Case(
        "an origin without a name",
        echoing("{ var(txn.origin) -m str null }"),
        red=("X3/foreign-origins-may-not-read", "X3/foreign-origins-get-no-preflight"),
        run=("X3",),
        says="null",
    ),
    Case(
        "every origin echoed on errors",
        echoing(f"{ECHOED} {{ var(txn.path) -m str /no-such-page }}"),
        red=("X3/foreign-origins-may-not-read",),
        run=("X3",),
        says="/no-such-page",
    ),
    Case(
        "every origin echoed for preflights",
        echoing(f"{ECHOED} {{ var(txn.method) -m str OPTIONS }}", "http-request set-var(txn.method) method"),
        red=("X3/foreign-origins-get-no-preflight",),
        run=("X3",),
    ),
    Case(
        "a bucket for whatever begins with our name",
        uploads(
            "http-request set-var(txn.origin) req.fhdr(origin)",
            header("Access-Control-Allow-Origin", "%[var(txn.origin)]", "{ var(txn.origin) -m sub t.evil }"),
        ),
        red=("X3/the-uploads-bucket-is-for-the-frontend-only",),
        run=("X3",),
        says="evil.example",
    ),
    Case(
        "a wildcard with credentials",
        edge(
            header("Access-Control-Allow-Origin", "*"),
            header("Access-Control-Allow-Credentials", "true"),
            header("Vary", "Origin"),
        ),
        red=(
            "X3/no-wildcard-goes-with-credentials",
            "X3/foreign-origins-may-not-read",
            "X3/foreign-origins-get-no-preflight",
        ),
        run=("X3",),
    ),
    Case("no Vary", edge(without("Vary")), red=("X3/answers-vary-by-origin",), run=("X3",)),
    Case(
        "a bucket for every origin",
        uploads(header("Access-Control-Allow-Origin", "*")),
        red=("X3/the-uploads-bucket-is-for-the-frontend-only",),
        run=("X3",),
    ),
)

COOKIES = (
    Case(
        "cookies that scripts can read",
        edge(cookie("HttpOnly")),
        red=("X4/session-cookies-are-hidden-from-scripts", "X4/the-sticky-cookie-is-secure"),
        run=("X4",),
    ),
    Case(
        "cookies without Secure",
        edge(cookie("Secure")),
        red=("X4/session-cookies-travel-by-tls-only", "X4/the-sticky-cookie-is-secure"),
        run=("X4",),
    ),
    Case(
        "cookies without SameSite",
        edge(cookie("SameSite")),
        red=("X4/session-cookies-stay-on-the-site",),
        run=("X4",),
    ),
    Case(
        "cookies for the whole domain",
        edge(r"http-after-response replace-header Set-Cookie '^(.*)$' '\1; Domain=example.com'"),
        red=("X4/session-cookies-are-for-this-host-only",),
        run=("X4",),
    ),
)


@pytest.mark.parametrize("case", [*ORIGINS, *COOKIES], ids=str)
def test_the_check_fails(whole: Site, case: Case) -> None:
    prove(whole, case)
