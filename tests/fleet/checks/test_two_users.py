"""Checks of two users, guessing and cookies fail on an app that enforces nothing, in the order of a run."""

from __future__ import annotations

import pytest

from tests.fleet.checks.breaking import answered, edge, uploads, web_source
from tests.fleet.checks.harness import Case, prove, run_checks
from tests.fleet.site import Site

REFRESH = "{ path /api/auth/refresh }"
SIGN_IN = "{ var(txn.path) -m str /api/auth/sign-in }"
AUTH, UPLOADS, USERS = "src/routes/auth.ts", "src/routes/uploads.ts", "src/auth/users.ts"
CSRF = "X6/another-sites-page-cannot-use-the-cookie"
GUESSED = "X7/passwords-cannot-be-guessed-at-speed"
ALIKE = "X7/known-and-unknown-accounts-are-answered-alike"
STORED = "X9/a-user-stores-what-was-announced"
OWNED = "X9/another-users-upload-is-refused"
EXPIRED = "X9/an-expired-presigned-url-is-refused"
OWN_ORIGIN = "http-request set-header Origin https://%[req.hdr(host)]"

CASES = (
    Case(
        "another site's page refreshes the session",
        edge(f"{OWN_ORIGIN} if {REFRESH}"),
        red=(CSRF,),
        run=("X6",),
        says="evil.example",
    ),
    Case(
        "a page without an origin refreshes the session",
        edge(f"{OWN_ORIGIN} if {REFRESH} {{ req.hdr(origin) -m str null }}"),
        red=(CSRF,),
        run=("X6",),
        says="null",
    ),
    Case(
        "a session that is refused to everyone",
        edge(answered(401, "{}", f"{REFRESH} {{ req.hdr(cookie) -m found }}")),
        red=(CSRF, "X6/a-refresh-token-works-once"),
        run=("X6",),
        says="proves nothing",
    ),
    Case(
        "a refresh that needs no cookie",
        edge(answered(200, "{}", f"{REFRESH} !{{ req.hdr(origin) -m sub evil null }}")),
        red=(CSRF, "X6/a-refresh-token-works-once", "X6/a-session-ends-with-its-sign-out"),
        run=("X6",),
        says="needs no cookie",
    ),
    Case(
        "passwords may be guessed",
        edge(f"http-after-response set-status 401 if {{ status 429 }} {SIGN_IN}"),
        red=(GUESSED,),
        run=("X7",),
    ),
    Case(
        "only accounts that do not exist are limited",
        web_source(
            AUTH,
            "if (!client.loadTest) await refuse",
            "if (!/^smoke/.test(body.email)) await refuse",
        ),
        red=(GUESSED,),
        run=(GUESSED, ALIKE),
        says="from 4 addresses",
    ),
    Case(
        "a limit by address alone",
        web_source(AUTH, "guessesAt(body.email)", "guessesAt(client.ip)"),
        red=(GUESSED,),
        run=("X7/passwords", "X7/known", "X7/too-many-requests"),
        says="from 4 addresses",
    ),
    Case(
        "an answer that tells which accounts exist",
        web_source(USERS, "const matches = await", 'if (!row) throw Error("none"); const matches = await'),
        red=(ALIKE,),
        run=(GUESSED, ALIKE),
        says="unknown one with 500",
    ),
    Case(
        "another user's uploads",
        web_source(
            UPLOADS,
            "const ownUpload = async (userId: string, key: string) => {",
            "const ownUpload = async (me: string, key: string) => { const userId = key.slice(6, 42);",
        ),
        red=(OWNED,),
        run=("X9",),
        says="another user's request",
    ),
    Case(
        "uploads that are not there",
        edge(answered(404, "{}", "{ path_beg /api/uploads/ } { method GET }")),
        red=(OWNED,),
        run=("X9",),
        says="proves nothing",
    ),
    Case(
        "a bucket that refuses everything",
        uploads("http-request deny deny_status 403 if { method PUT }"),
        red=(STORED, EXPIRED),
        run=("X9",),
        alone=True,
        says="403",
    ),
    Case(
        "a bucket that keeps nothing",
        uploads("http-request return status 200 if { method PUT } { query -m sub Signature }"),
        red=(
            STORED,
            "X9/a-presigned-url-accepts-only-what-was-announced",
            "X9/a-changed-presigned-url-is-refused",
            EXPIRED,
        ),
        run=("X9",),
        says="what was stored",
    ),
)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_check_fails(whole: Site, case: Case) -> None:
    prove(whole, case)


def test_a_flood_of_the_run_before_is_no_proof(whole: Site) -> None:
    """This machine's address is over its limit, and the account is still not limited."""
    assert run_checks(whole.root, "X7/too-many-requests").code == 0
    with edge(f"http-after-response set-status 401 if {{ status 429 }} {SIGN_IN}")(whole):
        found = run_checks(whole.root, "X7")
    assert found.ids("fail") == {GUESSED}, found.said
