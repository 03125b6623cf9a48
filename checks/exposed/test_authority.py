"""Authentication and authorisation (X6, X10, I7)."""

from __future__ import annotations

import base64
import json

import pytest

from checks.kit.check import check, not_evaluated
from checks.kit.roots import Roots
from checks.kit.site import Person, Site, declared_request, sign_in_person


@check(
    "X6",
    severity="critical",
    asvs="8.3.1",
    standard="OWASP API2:2023",
    why="data that needs no sign-in is public",
    remedy="answer 401 on every route for signed-in users",
    needs=("checks.signed_in",),
)
@pytest.mark.usefixtures("site")
def test_anonymous_clients_are_refused(roots: Roots) -> None:
    problem = roots.closed()
    assert not problem, problem.what


@check(
    "X6",
    severity="high",
    asvs="8.3.1",
    why="if the smoke user is refused as well, the refusal of others proves nothing",
    remedy="let the smoke user in: SMOKE_* in the env contract",
    needs=("smoke.steps", "checks.signed_in"),
)
@pytest.mark.usefixtures("person")
def test_signed_in_users_are_accepted(roots: Roots) -> None:
    problem = roots.let_in()
    assert not problem, problem.what


@check(
    "X6",
    severity="critical",
    asvs="8.2.1",
    standard="OWASP API5:2023",
    why="an ordinary account must not be able to do what admins do",
    remedy="answer 403 by the role in the database, not by the token's claim",
    needs=("smoke.steps", "checks.admin"),
)
def test_users_are_no_admins(person: Person) -> None:
    method, path = declared_request(person.site, "admin")
    anonymous, user = person.site.request(method, path), person.request(method, path)
    assert anonymous.status_code == 401, f"{path} answers an anonymous client with {anonymous.status_code}"
    assert user.status_code == 403, f"{method} {path} answers an ordinary user with {user.status_code}"


@check(
    "X6",
    severity="critical",
    asvs="9.1.1",
    standard="OWASP API2:2023",
    why="if the signature is not verified, anyone can forge a token",
    remedy="verify signature and algorithm before reading a token",
    needs=("smoke.steps", "checks.signed_in"),
)
def test_forged_tokens_are_refused(person: Person, signed_in: tuple[str, str]) -> None:
    method, path = signed_in
    headers = dict(person.session.headers)
    forged = {name: _forgeries(value) for name, value in headers.items() if value.count(".") >= 2}
    if not forged:
        not_evaluated("the smoke user's headers hold no signed token")
    for name, values in forged.items():
        for what, value in values.items():
            answer = person.site.request(method, path, headers={**headers, name: value})
            assert answer.status_code == 401, f"a token with {what} is answered with {answer.status_code}"


@check(
    "X6",
    severity="high",
    asvs="8.3.1",
    why="a caller's claim about itself proves nothing",
    remedy="ignore flags and roles in queries and headers",
    needs=("checks.signed_in", "checks.admin"),
)
def test_claims_in_query_and_headers_have_no_effect(site: Site, guarded: tuple[str, str]) -> None:
    for method, path in (guarded, declared_request(site, "admin")):
        tries: tuple[tuple[str, dict[str, str]], ...] = (
            (f"{path}?public=true&admin=true&role=admin", {}),
            (
                path,
                {"X-User-Id": "1", "X-User-Role": "admin", "X-Public": "true", "X-Forwarded-User": "admin"},
            ),
            (path, {"X-Original-URL": "/health", "X-Rewrite-URL": "/health"}),
            (path, {"X-HTTP-Method-Override": "OPTIONS"}),
        )
        for where, headers in tries:
            status = site.request(method, where, headers=headers).status_code
            assert status == 401, f"{where} with {', '.join(headers) or 'a query'} answers {status}"


@check(
    "X10",
    "S7",
    severity="critical",
    asvs="8.3.1",
    why="anyone who can call a cron route can run its job at will",
    remedy="compare Authorization with Bearer CRON_SECRET, in constant time",
    needs=("cron.NAME.path",),
)
def test_cron_routes_refuse_without_the_bearer(site: Site) -> None:
    paths = [cron.path for cron in site.live.app.cron.values() if cron.path]
    if not paths:
        not_evaluated("the app has no cron entry with a path")
    for path in paths:
        for headers in (
            {},
            {"Authorization": "Bearer"},
            {"Authorization": "Bearer undefined"},
            {"Authorization": "Bearer " + "x" * 48},
        ):
            for method in ("POST", "GET"):
                status = site.request(method, path, headers=headers).status_code
                assert status in (401, 403, 404, 405), f"{method} {path} answers {status}"
        assert site.request("POST", path).status_code in (401, 403, 404), f"POST {path} is not refused"


@check(
    "X10",
    severity="high",
    asvs="8.3.1",
    why="a user's token must not give access to what only timers may call",
    remedy="accept only CRON_SECRET on cron routes",
    needs=("smoke.steps", "cron.NAME.path"),
)
def test_cron_routes_refuse_a_users_token(person: Person) -> None:
    paths = [cron.path for cron in person.site.live.app.cron.values() if cron.path]
    if not paths:
        not_evaluated("the app has no cron entry with a path")
    for path in paths:
        status = person.request("POST", path).status_code
        assert status in (401, 403, 404), f"POST {path} answers a user's token with {status}"


@check(
    "X6",
    "X4",
    severity="high",
    asvs="3.5.1",
    why="another site's page could send requests with the session cookie",
    remedy="compare Origin on routes that accept a cookie, or require a CSRF token",
    needs=("smoke.steps", "checks.refresh"),
)
def test_another_sites_page_cannot_use_the_cookie(person: Person) -> None:
    method, path = declared_request(person.site, "refresh")
    # A separate session: an app may give out a new cookie each time.
    visitor = sign_in_person(person.site, person.site.live)
    if not visitor.cookie:
        not_evaluated("signing in sets no cookie")

    def status(origin: str, cookie: str = visitor.cookie) -> int:
        headers = {"Origin": origin} | ({"Cookie": cookie} if cookie else {})
        return person.site.request(method, path, headers=headers).status_code

    own = person.site.live.url
    for origin in ("https://evil.example", "null", f"https://{person.site.live.host_name}.evil.example"):
        answered = status(origin)
        assert 400 <= answered < 500 and answered != 429, (
            f"a page of {origin} may use the session: {method} {path} is answered with {answered}"
        )
    answered = status(own)
    assert answered < 300, (
        f"the site's own page is refused as well ({answered}), so that the refusal of others proves nothing"
    )
    answered = status(own, cookie="")
    assert answered >= 400, f"{method} {path} needs no cookie ({answered}), so that refusals prove nothing"


def _forgeries(value: str) -> dict[str, str]:
    """Broken forms of a JWT inside a header's value."""
    scheme, _, token = value.rpartition(" ")
    head, body, signature = token.split(".", 2)
    none = base64.urlsafe_b64encode(json.dumps({"alg": "none", "typ": "JWT"}).encode()).decode().rstrip("=")
    other = ("A" if signature[:1] != "A" else "B") + signature[1:]
    longer = body[:-2] + ("AA" if body[-2:] != "AA" else "BB")
    forged = {
        "another signature": f"{head}.{body}.{other}",
        "no signature": f"{head}.{body}.",
        "algorithm none": f"{none}.{body}.",
        "another body": f"{head}.{longer}.{signature}",
    }
    return {what: f"{scheme} {text}".strip() for what, text in forged.items()}
