"""Checks of what strange requests do fail where one breaks the app."""

from __future__ import annotations

import pytest

from tests.fleet.checks.breaking import answered, edge, web_source
from tests.fleet.checks.harness import Case, prove
from tests.fleet.site import Site

SIGN_IN = "{ path /api/auth/sign-in }"
OOPS = '{"error":"oops"}'
TRACE = "TypeError: x is undefined at handler (/srv/app/src/web.ts:12:7)"

ERRORS = (
    Case(
        "a character that the database cannot store breaks it",
        edge(answered(500, OOPS, f"{SIGN_IN} {{ req.body -m sub u0000 }}")),
        red=("P10/no-declared-route-breaks",),
        says="u0000",
    ),
    Case(
        "a negative number in a query breaks it",
        edge(answered(500, OOPS, "{ url_sub limit=-1 }")),
        red=("P10/no-declared-route-breaks",),
        says="limit=-1",
    ),
    Case(
        "an unknown method breaks it",
        edge(answered(500, OOPS, "{ method PROPFIND } { path /api/me }")),
        red=("P10/no-declared-route-breaks",),
        says="PROPFIND",
    ),
    Case(
        "a body that is no object breaks it",
        edge(answered(502, OOPS, "{ path /api/tasks } { method POST } { req.body -m str null }")),
        red=("P10/no-declared-route-breaks",),
        says="null",
    ),
    Case(
        "an id that is none shows a trace",
        edge(answered(400, TRACE, "{ method DELETE } { path /api/tasks/undefined }", "text/plain")),
        red=("P10/no-declared-route-breaks",),
        says="at handler",
    ),
    Case(
        "a request is cut off",
        edge("http-request reject if { path /api/tasks } { method POST } { req.body_len gt 9000 }"),
        red=("P10/no-declared-route-breaks",),
        says="cut off",
    ),
    Case(
        "a route without a schema",
        web_source("src/board/tasks.ts", "title: text().min(1).max(200),", "title: z.any(),"),
        red=("P10/no-declared-route-breaks",),
        says="title",
    ),
    Case(
        "a semicolon in a path breaks it",
        edge(answered(500, OOPS, "{ path_sub ; }")),
        red=("P10/random-requests-break-nothing",),
        says="seed",
        options=("--deep",),
    ),
)


@pytest.mark.parametrize("case", ERRORS, ids=str)
def test_the_check_fails(whole: Site, case: Case) -> None:
    prove(whole, case)
