"""Authentication and authorisation checks fail where the app does not enforce them."""

from __future__ import annotations

import pytest

from tests.fleet.checks.breaking import answered, edge
from tests.fleet.checks.harness import Case, prove
from tests.fleet.site import Site

ME, ADMIN = "{ path /api/me }", "{ path /api/admin/audit }"
SIGNED = "{ req.hdr(authorization) -m found }"
TOKENS = tuple(
    f"X6/{name}"
    for name in (
        "expired-tokens-are-refused",
        "tokens-that-do-not-hold-yet-are-refused",
        "tokens-of-another-issuer-are-refused",
        "tokens-for-another-audience-are-refused",
        "tokens-do-not-choose-their-algorithm",
        "tokens-by-another-key-are-refused",
    )
)
"""Checks that make false tokens."""

AUTHORITY = (
    Case(
        "anonymous clients are accepted",
        edge(answered(200, "{}", f"{ME} !{SIGNED}")),
        red=("X6/anonymous-clients-are-refused",),
        run=("X6",),
        untried=(
            "X6/signed-in-users-are-accepted",
            "X6/forged-tokens-are-refused",
            "X6/claims-in-query-and-headers-have-no-effect",
            *TOKENS,
        ),
    ),
    Case(
        "users are refused",
        edge(answered(401, "{}", f"{ME} {SIGNED}")),
        red=("X6/signed-in-users-are-accepted",),
        run=("X6",),
        untried=("X6/forged-tokens-are-refused", *TOKENS),
    ),
    Case(
        "users are admins",
        edge(answered(200, "{}", f"{ADMIN} {SIGNED}")),
        red=("X6/users-are-no-admins",),
        run=("X6",),
    ),
    Case(
        "any token is accepted",
        edge(answered(200, "{}", f"{ME} {SIGNED}")),
        red=("X6/forged-tokens-are-refused",),
        run=("X6",),
        untried=TOKENS,
    ),
    Case(
        "a role in a header is accepted",
        edge(answered(200, "{}", f"{ADMIN} {{ req.hdr(x-user-role) -m str admin }}")),
        red=("X6/claims-in-query-and-headers-have-no-effect",),
        run=("X6",),
    ),
    Case(
        "a cron route is open to the public",
        edge(answered(200, "{}", "{ path /cron/outbox } { method POST }")),
        red=("X10/cron-routes-refuse-without-the-bearer", "X10/cron-routes-refuse-a-users-token"),
        run=("X10",),
    ),
    Case(
        "a cron route is open to every user",
        edge(answered(200, "{}", "{ path /cron/outbox } { req.hdr(authorization) -m beg 'Bearer ey' }")),
        red=("X10/cron-routes-refuse-a-users-token",),
        run=("X10",),
    ),
)


@pytest.mark.parametrize("case", AUTHORITY, ids=str)
def test_the_check_fails(whole: Site, case: Case) -> None:
    prove(whole, case)
