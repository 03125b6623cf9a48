"""Token checks fail on an app that verifies less than it should."""

from __future__ import annotations

import pytest

from tests.fleet.checks.breaking import Break, answered, edge, web_source
from tests.fleet.checks.harness import Case, prove
from tests.fleet.site import Site

VERIFIED = '{ ...who, algorithms: ."HS256". }'
"""As a pattern: what tokens.ts compares."""


def verified(options: str, more: str = "") -> Break:
    """The app's tokens verified with other options."""
    return web_source("src/auth/tokens.ts", f"{VERIFIED})", f"{options}){more}")


TOKENS = (
    Case(
        "expired tokens are accepted",
        verified('{ ...who, algorithms: ["HS256"], currentDate: new Date(0) }'),
        red=("X6/expired-tokens-are-refused",),
        run=("X6/expired", "X6/tokens"),
        says="200",
    ),
    Case(
        "tokens of every issuer are accepted",
        verified('{ audience: who.audience, algorithms: ["HS256"] }'),
        red=("X6/tokens-of-another-issuer-are-refused",),
        run=("X6/expired", "X6/tokens"),
    ),
    Case(
        "tokens for every audience are accepted",
        verified('{ issuer: who.issuer, algorithms: ["HS256"] }'),
        red=("X6/tokens-for-another-audience-are-refused",),
        run=("X6/expired", "X6/tokens"),
    ),
    Case(
        "a token may choose among algorithms",
        verified('{ ...who, algorithms: ["HS256", "HS512"] }'),
        red=("X6/tokens-do-not-choose-their-algorithm",),
        run=("X6/expired", "X6/tokens"),
        says="HS512",
    ),
    Case(
        "tokens that do not hold yet are accepted",
        verified('{ ...who, algorithms: ["HS256"], clockTolerance: 7200 }'),
        red=("X6/tokens-that-do-not-hold-yet-are-refused", "X6/expired-tokens-are-refused"),
        run=("X6/expired", "X6/tokens"),
    ),
    Case(
        "an unsigned token is accepted",
        edge(answered(200, "{}", "{ path /api/me } { req.hdr(authorization) -m sub eyJhbGciOiJOT05F }")),
        red=("X6/tokens-do-not-choose-their-algorithm",),
        says="NONE",
    ),
    Case(
        "a second key that everyone knows",
        verified(
            '{ ...who, algorithms: ["HS256"] }',
            '.catch(() => jwtVerify(token, new TextEncoder().encode("changeme"), who))',
        ),
        red=("X6/tokens-by-another-key-are-refused",),
        run=("X6/expired", "X6/tokens"),
        says="changeme",
    ),
    Case(
        "tokens that live for a day",
        web_source("src/auth/tokens.ts", "ACCESS_SECONDS = 15 . 60", "ACCESS_SECONDS = 24 * 3600"),
        red=("X6/tokens-live-as-long-as-declared",),
        says="86400",
    ),
    Case(
        "sessions that go on after their sign-out",
        web_source("src/auth/sessions.ts", "FROM sessions WHERE id", "FROM sessions WHERE false AND id"),
        red=("X6/a-session-ends-with-its-sign-out",),
        says="refreshes",
    ),
    Case(
        "a refresh token that works twice",
        web_source("src/auth/sessions.ts", "SET id = gen_random_uuid()", "SET expires_at = s.expires_at"),
        red=("X6/a-refresh-token-works-once",),
    ),
)


@pytest.mark.parametrize("case", TOKENS, ids=str)
def test_the_check_fails(whole: Site, case: Case) -> None:
    prove(whole, case)
