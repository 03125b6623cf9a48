"""Access tokens, made by hand with the app's own secret: which must be refused (X6)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import httpx
import pytest

from checks.kit.check import check, not_evaluated
from checks.kit.roots import FORGED, Problem, stand_on
from checks.kit.site import Person, Site, cookie_header, declared_request, sign_in_person
from slipway.stack import CheckToken

SHORT_SECONDS = 900
"""An access token that lives no longer may outlive the sign-out: 15 minutes (OWASP ASVS 7.4.1)."""
Claims = dict[str, Any]


@dataclass(frozen=True)
class Forge:
    """Makes tokens like the smoke user's."""

    person: Person
    key: bytes
    algorithm: str
    header: str
    """The header of requests that holds the token, `Authorization`."""
    scheme: str
    """What stands before the token: `Bearer `."""
    head: Claims
    claims: Claims
    """Those of the smoke user's own token."""

    def token(
        self,
        changed: Mapping[str, object] = {},
        *,
        key: bytes | None = None,
        algorithm: str = "",
        **head: object,
    ) -> str:
        """A token with some claims changed (None: without), by another key, or by another algorithm."""
        claims = {name: value for name, value in {**self.claims, **changed}.items() if value is not None}
        algorithm = algorithm or self.algorithm
        text = f"{_coded({**self.head, 'alg': algorithm, **head})}.{_coded(claims)}"
        digest = _DIGESTS.get(algorithm)
        signature = (
            hmac.new(self.key if key is None else key, text.encode(), digest).digest() if digest else b""
        )
        return f"{text}.{_base64(signature)}"

    def ask(self, token: str) -> int:
        """The status of the request for signed-in users with `token`."""
        method, path = declared_request(self.person.site, "signed_in")
        headers = {**self.person.session.headers, self.header: self.scheme + token}
        return self.person.site.request(method, path, headers=headers).status_code

    def refused(self, what: str, token: str) -> None:
        """Fail if the app accepts `token`, or refuses one as good as the user's own: that proves nothing."""
        control = self.ask(self.token())
        if control != 200:
            pytest.fail(
                f"a token like the smoke user's own, signed with {self._secret}, is answered with {control}: "
                "checks.token.secret or checks.token.algorithm is wrong"
            )
        status = self.ask(token)
        assert status == 401, f"a token {what} is answered with {status}"

    @property
    def _secret(self) -> str:
        token = self.person.site.live.app.checks.token
        return token.secret if token else ""


_DIGESTS = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}


@pytest.fixture(scope="module")
def forge(person: Person, signed_in: tuple[str, str]) -> Forge:
    """For tokens like that of the smoke user."""
    del signed_in  # where everybody is let in, or no one, no token proves anything
    declared = _declared(person.site)
    key = person.site.live.secret(declared.secret).encode()
    if not key:
        not_evaluated(f"the secret store has no {declared.secret} (checks.token.secret)")
    signed = {name: each for name, each in person.session.headers.items() if each.count(".") == 2}
    if not signed:
        not_evaluated("the smoke user's headers hold no signed token")
    name, value = next(iter(signed.items()))
    scheme, blank, token = value.rpartition(" ")
    head, claims, _ = token.split(".")
    forge = Forge(person, key, declared.algorithm, name, scheme + blank, _decoded(head), _decoded(claims))
    if forge.ask(f"{head}.{claims}.{_base64(secrets.token_bytes(32))}") == 200:
        # Where no signature is compared, nothing that it covers is.
        stand_on(Problem("a token with any signature is accepted", FORGED))
    return forge


@check(
    "X6",
    severity="critical",
    asvs="9.2.1",
    standard="RFC 8725",
    why="a token that was stolen once works for ever",
    remedy="verify exp of every token",
    needs=("smoke.steps", "checks.signed_in", "checks.token"),
)
def test_expired_tokens_are_refused(forge: Forge) -> None:
    now = int(time.time())
    forge.refused("that ended five minutes ago", forge.token({"iat": now - 900, "exp": now - 300}))


@check(
    "X6",
    severity="high",
    asvs="9.2.1",
    standard="RFC 8725",
    why="a token that does not hold yet was issued by a wrong clock, or by hand",
    remedy="verify nbf of every token that has one",
    needs=("smoke.steps", "checks.signed_in", "checks.token"),
)
def test_tokens_that_do_not_hold_yet_are_refused(forge: Forge) -> None:
    hour = int(time.time()) + 3600
    forge.refused("that begins in an hour", forge.token({"nbf": hour, "iat": hour, "exp": hour + 60}))


@check(
    "X6",
    severity="high",
    asvs="9.2.3",
    standard="RFC 8725 3.8",
    why="a token of another stage or service with the same secret would be accepted here",
    remedy="put iss into the token, and compare it",
    needs=("smoke.steps", "checks.signed_in", "checks.token"),
)
def test_tokens_of_another_issuer_are_refused(forge: Forge) -> None:
    if "iss" not in forge.claims:
        not_evaluated("the app's tokens name no issuer (iss)")
    forge.refused("of another issuer", forge.token({"iss": "https://evil.example"}))
    forge.refused("without an issuer", forge.token({"iss": None}))


@check(
    "X6",
    severity="high",
    asvs="9.2.3",
    standard="RFC 8725 3.9",
    why="a token that was made for another service would be accepted here",
    remedy="put aud into the token, and compare it",
    needs=("smoke.steps", "checks.signed_in", "checks.token"),
)
def test_tokens_for_another_audience_are_refused(forge: Forge) -> None:
    if "aud" not in forge.claims:
        not_evaluated("the app's tokens name no audience (aud)")
    forge.refused("for another audience", forge.token({"aud": "another-service"}))
    forge.refused("without an audience", forge.token({"aud": None}))


@check(
    "X6",
    severity="critical",
    asvs="9.1.2",
    standard="RFC 8725 3.1; CVE-2015-9235",
    why="a token that chooses how it is verified can choose not to be",
    remedy="pin the algorithm where tokens are verified",
    needs=("smoke.steps", "checks.signed_in", "checks.token"),
)
def test_tokens_do_not_choose_their_algorithm(forge: Forge) -> None:
    for none in ("none", "None", "NONE", "nOnE"):
        forge.refused(f"with algorithm {none}", forge.token(algorithm=none))
    others = [each for each in _DIGESTS if each != forge.algorithm]
    for other in others:
        forge.refused(f"with algorithm {other} instead of {forge.algorithm}", forge.token(algorithm=other))


@check(
    "X6",
    severity="critical",
    asvs="9.1.1",
    standard="RFC 8725 3.2",
    why="whoever knows or guesses the key is any user",
    remedy="take the key from the secret store only; no default, and none that the token names",
    needs=("smoke.steps", "checks.signed_in", "checks.token"),
)
def test_tokens_by_another_key_are_refused(forge: Forge) -> None:
    for what, key in _WRONG_KEYS.items():
        forge.refused(f"signed with {what}", forge.token(key=key))
    own = {"kty": "oct", "k": _base64(b"own key of the token"), "alg": forge.algorithm}
    forge.refused("that brings its key", forge.token(key=b"own key of the token", jwk=own))
    forge.refused("whose kid is a file", forge.token(key=b"", kid="../../../../dev/null"))


_WRONG_KEYS: dict[str, bytes] = {
    "a random key": secrets.token_bytes(32),
    "an empty key": b"",
    **{
        f"the key {word!r}": word.encode()
        for word in ("secret", "changeme", "jwt_secret", "your-256-bit-secret")
    },
}


@check(
    "X6",
    severity="high",
    asvs="7.3.2",
    why="a stolen access token works until it ends",
    remedy="give access tokens minutes, and a refresh token days",
    needs=("smoke.steps", "checks.signed_in", "checks.token.seconds"),
)
def test_tokens_live_as_long_as_declared(forge: Forge) -> None:
    site = forge.person.site
    most = site.live.number(_declared(site).seconds)
    if most is None:
        not_evaluated("declare checks.token.seconds in slipway.toml")
    assert "exp" in forge.claims, "the token never ends: it has no exp"
    lives = float(forge.claims["exp"]) - float(forge.claims.get("iat", time.time()))
    assert lives <= most + 5, f"a token lives for {lives:g} s, {most} s are declared"


@check(
    "X6",
    severity="high",
    asvs="7.4.1",
    standard="OWASP WSTG-SESS-06",
    why="whoever has a copy of the session stays signed in after its owner has signed out",
    remedy="end the session on the server when it is signed out, not only the cookie",
    needs=("smoke.steps", "checks.signed_in", "checks.token.sign_out"),
)
def test_a_session_ends_with_its_sign_out(site: Site, forge: Forge) -> None:
    declared = _declared(site)
    if declared.sign_out is None:
        not_evaluated("declare checks.token.sign_out in slipway.toml")
    user = sign_in_person(site, site.live)
    cookie = user.cookie
    out = _send(user, declared.sign_out, cookie)
    assert out.status_code < 400, f"{declared.sign_out} answers {out.status_code}"
    if (refresh := site.live.app.checks.refresh) and cookie:
        status = _send(site, refresh, cookie).status_code
        assert status in (400, 401, 403), (
            f"the cookie of a session that was signed out still refreshes: {status}"
        )
    method, path = declared_request(site, "signed_in")
    status = user.request(method, path).status_code
    lives = float(forge.claims.get("exp", 1e12)) - float(forge.claims.get("iat", time.time()))
    assert status == 401 or lives <= SHORT_SECONDS, (
        f"after the sign-out the access token, which lives for {lives:g} s, is answered with {status}"
    )


@check(
    "X6",
    severity="high",
    asvs="10.4.5",
    standard="RFC 9700 4.14.2",
    why="a refresh token that was copied once gives access for as long as the session is used",
    remedy="replace the refresh token with each use, and refuse the one before",
    needs=("smoke.steps", "checks.refresh", "checks.token.rotates"),
)
@pytest.mark.usefixtures("person")
def test_a_refresh_token_works_once(site: Site) -> None:
    declared = _declared(site)
    refresh = site.live.app.checks.refresh
    if refresh is None or not declared.rotates:
        not_evaluated("declare checks.refresh, and checks.token.rotates = true, in slipway.toml")
    user = sign_in_person(site, site.live)
    cookie = user.cookie
    if not cookie:
        not_evaluated("signing in sets no cookie")
    first = _send(site, refresh, cookie)
    assert first.is_success, f"{refresh} with the cookie of the sign-in answers {first.status_code}"
    fresh = cookie_header(first.headers.get_list("set-cookie"))
    assert fresh and fresh != cookie, f"{refresh} sets no new cookie"
    again = _send(site, refresh, cookie).status_code
    assert again in (400, 401, 403), f"the cookie from before the refresh still refreshes: {again}"
    if declared.sign_out is not None:
        _send(site, declared.sign_out, fresh)


def _declared(site: Site) -> CheckToken:
    if site.live.app.checks.token is None:
        not_evaluated("declare [checks.token] in slipway.toml")
    return site.live.app.checks.token


def _send(who: Site | Person, request: str, cookie: str) -> httpx.Response:
    """One request with `cookie`, as a page of the site itself sends it."""
    method, _, path = request.partition(" ")
    site = who.site if isinstance(who, Person) else who
    return who.request(method, path, headers={"Cookie": cookie, "Origin": site.live.url})


def _coded(claims: Claims) -> str:
    return _base64(json.dumps(claims, separators=(",", ":")).encode())


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _decoded(part: str) -> Claims:
    return cast("Claims", json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))))
