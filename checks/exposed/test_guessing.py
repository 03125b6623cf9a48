"""Guessing passwords: limited by account, from whatever address; no answer says which accounts exist (X7)."""

from __future__ import annotations

import json
import random
import secrets
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import httpx

from checks.kit.background import Background, begun_early
from checks.kit.check import check, not_evaluated
from checks.kit.roots import Roots, stand_on
from checks.kit.site import Site, env_of_other
from slipway.traffic import Step, fill_body, sign_in_steps

REFUSED = (400, 401, 403, 404, 422)
"""How a wrong password is answered."""
ROUNDS = 3
"""Times the limit: a sign-in in between, also of another run of the checks, may begin the count again."""


@dataclass(frozen=True)
class SignIn:
    """The smoke step that signs in."""

    site: Site
    step: Step

    def guess(self, client: httpx.Client, account: Mapping[str, str]) -> httpx.Response:
        """A wrong password for `account`, whose secrets are replaced by new ones."""
        env = self.site.live.app.env
        values = {
            name: secrets.token_hex(12) if name in env and env[name].secret else value
            for name, value in account.items()
        }
        method, _, path = self.step.request.partition(" ")
        return client.request(method, path, json=fill_body(self.step.body or {}, values))

    def no_account(self) -> dict[str, str]:
        """An account that does not exist."""
        name = f"no-such-user-{secrets.token_hex(6)}"
        known = self.site.live.smoke_env
        return {each: f"{name}@example.com" if "@" in value else name for each, value in known.items()}


def _sign_in(site: Site) -> SignIn:
    step = next((step for step in sign_in_steps(site.live.app) if step.body), None)
    if step is None:
        not_evaluated("declare a smoke step that signs in: its json holds ${NAME} of [env]")
    return SignIn(site, step)


@contextmanager
def _addresses(site: Site) -> Generator[list[httpx.Client]]:
    """Clients from the stack's own hosts: other addresses than the one that floods, and each other's."""
    names = [host.name for host in site.live.outputs.hosts if host.is_any("web", "worker", "data")]
    with ExitStack() as stack:
        clients = [stack.enter_context(site.seen_from(name)) for name in names]
        random.shuffle(clients)
        yield clients


@begun_early
def guessed(site: Site, roots: Roots) -> str:
    """How wrong passwords for one account were answered if it has no limit; empty: it has."""
    stand_on(roots.wrong_password())
    most = site.live.number(site.live.app.checks.sign_in_attempts)
    if most is None:
        not_evaluated("declare checks.sign_in_attempts in slipway.toml")
    sign_in, account = _sign_in(site), env_of_other(site.live)
    seen: list[int] = []
    with _addresses(site) as clients:
        addresses = len(clients)
        while clients and len(seen) < ROUNDS * most + 2:
            client = clients[len(seen) % len(clients)]
            status = sign_in.guess(client, account).status_code
            if status == 429:
                if sign_in.guess(client, sign_in.no_account()).status_code != 429:
                    return ""  # this account is refused to an address from which others are not
                clients.remove(client)
                continue
            if status not in REFUSED:
                return f"a wrong password is answered with {status}"
            seen.append(status)
    if not clients:
        not_evaluated("every address of the stack is at its limit: run it again in a minute")
    return (
        f"{len(seen)} wrong passwords for one account, from {addresses} addresses, are answered with "
        f"{', '.join(map(str, sorted(set(seen))))}: its limit is {most}"
    )


@check(
    "X7",
    severity="high",
    asvs="6.3.1",
    standard="OWASP API2:2023",
    why="without a limit, passwords can be guessed as fast as the site answers, from many addresses",
    remedy="limit wrong passwords by account, from any address",
    waits_for=(guessed,),
    needs=("smoke.steps", "checks.other_user", "checks.sign_in_attempts"),
)
def test_passwords_cannot_be_guessed_at_speed(background: Background) -> None:
    problem = background.result(guessed)
    assert not problem, problem


@check(
    "X7",
    "X16",
    severity="medium",
    asvs="6.3.8",
    why="an answer that differs tells which addresses have an account, and whose password is worth guessing",
    remedy="answer a wrong address and a wrong password with the same status and text",
    needs=("smoke.steps",),
    ahead=True,
)
def test_known_and_unknown_accounts_are_answered_alike(site: Site, roots: Roots) -> None:
    stand_on(roots.wrong_password())
    sign_in = _sign_in(site)
    with _addresses(site) as clients:
        for client in clients:
            known = sign_in.guess(client, site.live.smoke_env)
            unknown = sign_in.guess(client, sign_in.no_account())
            if 429 not in (known.status_code, unknown.status_code):
                break
        else:
            not_evaluated("every address of the stack is at its limit: run it again in a minute")
    assert known.status_code == unknown.status_code, (
        f"a known account is answered with {known.status_code}, an unknown one with {unknown.status_code}"
    )
    assert _text(known) == _text(unknown), (
        f"a known account is answered with {_text(known)[:80]}, an unknown one with {_text(unknown)[:80]}"
    )


def _text(answer: httpx.Response) -> str:
    """The body without what is new in every answer."""
    text = answer.text
    if identity := answer.headers.get("x-request-id"):
        text = text.replace(identity, "…")
    try:
        document = json.loads(text)
    except ValueError:
        return text
    if isinstance(document, dict):
        often_new = ("id", "time", "date", "trace")
        document = {key: value for key, value in document.items() if not key.lower().endswith(often_new)}  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    return json.dumps(document, sort_keys=True)
