"""What other checks stand on: the site, each host, the smoke user. If one is broken, one check says so.

A check whose root is broken ends as "could not be tried", and names the check that failed for it.
"""

from __future__ import annotations

import secrets
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import httpx
import websocket

from checks.kit.check import could_not_be_tried, not_evaluated
from checks.kit.hosts import Host, Hosts, name_of
from checks.kit.site import Person, Site, declared_request, sign_in_person
from checks.kit.words import in_words, unreachable_host
from slipway.stack import SlipwayError
from slipway.traffic import sign_in_steps

SITE = "S2/the-site-answers"
CERTIFICATE = "X1/the-certificate-is-trusted-and-for-this-name"
HOST = "I3/every-host-can-be-reached"
SIGN_IN = "X6/the-smoke-user-signs-in"
CLOSED = "X6/anonymous-clients-are-refused"
LET_IN = "X6/signed-in-users-are-accepted"
FORGED = "X6/forged-tokens-are-refused"
DATABASE = "I5/the-database-lets-the-apps-accounts-in"
ANYONE = "X6/a-wrong-password-is-refused"
ROOTS = (SITE, CERTIFICATE, HOST, DATABASE, SIGN_IN, ANYONE, CLOSED, LET_IN, FORGED)
"""Ids of the checks that report a broken root; they run first."""
PAUSE = 0.2


@dataclass(frozen=True)
class Problem:
    """A root that is broken."""

    what: str
    cause: str
    """Id of the check that reports it."""
    answered: bool = False
    """Whether the site answers, if only with errors."""
    without_haproxy: tuple[str, ...] = ()
    """The edge hosts on which HAProxy does not run."""


class Roots:
    """The roots of one run. Each is looked at once, and again when a check ends with such an error."""

    def __init__(self, site: Site, hosts: Hosts, patience: float, shut_out: Callable[[], str]) -> None:
        """`shut_out` says which of the app's accounts the database refuses; empty: none."""
        self._site = site
        self._shut_out = shut_out
        self._hosts = hosts
        self._patience = patience
        self._found: dict[str, Problem | None] = {}
        self._person: Person | None = None
        self._looking: dict[str, threading.RLock] = {}

    def known(self, root: str) -> Problem | None:
        """The problem of a root that was looked at already."""
        return self._found.get(root)

    def first_broken(self, roots: Iterable[str]) -> Problem | None:
        """The first of `roots` that is known to be broken."""
        return next((problem for root in roots if (problem := self.known(root))), None)

    @property
    def broken(self) -> list[Problem]:
        """The roots that are broken, as far as they were looked at."""
        return [problem for problem in self._found.values() if problem]

    def site(self) -> Problem | None:
        """Whether the site answers, once it has had `--patience` to become ready."""
        if self._site.live.app.web is None:
            not_evaluated("the app has no web process ([processes.web] in slipway.toml)")
        return self._once(SITE, lambda: self._look_at_site(self._patience))

    def database(self) -> Problem | None:
        """Whether the database lets the app's accounts in."""
        return self._once(DATABASE, self._look_at_database)

    def host(self, host: Host) -> Problem | None:
        """Whether commands run on `host`."""
        return self._once(name_of(host), lambda: _look_at_host(host))

    def every_host(self) -> list[Problem]:
        """The hosts on which no command runs; all are looked at at once."""
        return [problem for problem in self._hosts.each(self.host).values() if problem]

    def sign_in(self) -> Problem | None:
        """Whether the smoke user can sign in; ends the check if the app does not declare how."""
        if not sign_in_steps(self._site.live.app):
            not_evaluated(
                "declare how to sign in: in slipway.toml, a step of [[smoke.steps]]"
                " whose json holds ${NAME} of [env]"
            )
        return self._once(SIGN_IN, self._sign_in)

    def wrong_password(self) -> Problem | None:
        """Whether the smoke user's sign-in refuses another password; ends the check if it has none."""
        env, values = self._site.live.app.env, self._site.live.smoke_env
        wrong = {name: secrets.token_hex(12) for name in values if name in env and env[name].secret}
        if not wrong:
            not_evaluated("the smoke user signs in with no secret: declare one in [env] with scope smoke")
        return self._once(ANYONE, lambda: self._sign_in_with(wrong))

    def closed(self) -> Problem | None:
        """Whether `checks.signed_in` refuses anonymous clients; ends the check if it is not declared."""
        method, path = declared_request(self._site, "signed_in")
        return self._once(CLOSED, lambda: self._ask_as_anyone(method, path))

    def let_in(self) -> Problem | None:
        """Whether `checks.signed_in` lets the smoke user in, and no anonymous client."""
        method, path = declared_request(self._site, "signed_in")
        return self._once(LET_IN, lambda: self._ask_as_person(method, path))

    def person(self) -> Person:
        """The signed-in smoke user; ends the check if it cannot sign in."""
        stand_on(self.sign_in())
        if self._person is None:
            raise AssertionError("the smoke user is not signed in")
        return self._person

    def after(self, error: BaseException | None) -> Problem | None:
        """The root that broke, if that is why a check ended with `error`; found out by looking again."""
        if name := unreachable_host(error):
            return self._again(name, lambda: _look_at_host(self._hosts[name]))
        if isinstance(error, SlipwayError) and error.message.startswith("sign-in step"):
            return self._again(SIGN_IN, self._sign_in)
        if isinstance(error, httpx.TransportError | OSError | websocket.WebSocketException):
            return self._again(SITE, lambda: self._look_at_site(0))
        return None

    def _once(self, root: str, look: Callable[[], Problem | None]) -> Problem | None:
        with self._looking.setdefault(root, threading.RLock()):
            if root not in self._found:
                self._found[root] = look()
            return self._found[root]

    def _again(self, root: str, look: Callable[[], Problem | None]) -> Problem | None:
        with self._looking.setdefault(root, threading.RLock()):
            if self._found.get(root) is None:
                self._found[root] = look()
            return self._found[root]

    def _look_at_site(self, patience: float) -> Problem | None:
        problem = look_at_site(self._site, patience)
        if problem is None or problem.cause != SITE:
            return problem
        if problem.answered and (shut_out := self.database()):
            return Problem(f"{problem.what}, and {shut_out.what}", shut_out.cause)
        if not problem.answered and (down := self._edges_without_haproxy()):
            what = f"{problem.what}: HAProxy does not run on {', '.join(down)}"
            return Problem(what, SITE, without_haproxy=down)
        return problem

    def _edges_without_haproxy(self) -> tuple[str, ...]:
        reached = [host for host in self._hosts.of("edge") if self.host(host) is None]
        return tuple(name_of(host) for host in reached if not host.service("haproxy").is_running)

    def _look_at_database(self) -> Problem | None:
        refused = self._shut_out()
        return Problem(refused, DATABASE) if refused else None

    def _sign_in_with(self, wrong: Mapping[str, str]) -> Problem | None:
        stand_on(self.sign_in())
        try:
            sign_in_person(self._site, self._site.live, {**self._site.live.smoke_env, **wrong})
        except (SlipwayError, httpx.TransportError, ssl.SSLError):
            return None
        return Problem(f"the smoke user is signed in with another {', '.join(sorted(wrong))}", ANYONE)

    def _sign_in(self) -> Problem | None:
        stand_on(self.site())
        try:
            self._person = sign_in_person(self._site, self._site.live)
        except SlipwayError as error:
            what = f"the smoke user cannot sign in: {error.message}"
            shut_out = self.database()
            return (
                Problem(f"{what}, and {shut_out.what}", shut_out.cause)
                if shut_out
                else Problem(what, SIGN_IN)
            )
        except (httpx.TransportError, ssl.SSLError) as error:
            return Problem(f"the smoke user cannot sign in: {in_words(error)}", SIGN_IN)
        return None

    def _ask_as_anyone(self, method: str, path: str) -> Problem | None:
        stand_on(self.site())
        status = self._site.request(method, path).status_code
        if status == 401:
            return None
        return Problem(f"{method} {path} answers an anonymous client with {status}", CLOSED)

    def _ask_as_person(self, method: str, path: str) -> Problem | None:
        stand_on(self.closed())
        status = self.person().request(method, path).status_code
        if status == 200:
            return None
        return Problem(f"{method} {path} answers the smoke user with {status}", LET_IN)


def stand_on(root: Problem | None) -> None:
    """End the check if what it stands on is broken."""
    if root is not None:
        could_not_be_tried(root.what, root.cause)


def look_at_site(site: Site, patience: float) -> Problem | None:
    """What is wrong with the site's health path; asks again for `patience` seconds."""
    where = f"{site.live.url}{site.live.cheap_path}"
    ends = time.monotonic() + patience
    while True:
        answered = False
        try:
            status = site.get(site.live.cheap_path).status_code
            if status < 500:
                return None
            what, answered = f"{where} answers {status}", True
        except (httpx.TransportError, ssl.SSLError) as error:
            what = f"{where}: {in_words(error)}"
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                # Waiting does not help.
                return Problem(what, CERTIFICATE)
        if time.monotonic() > ends:
            what = f"{what}, also after {patience:g} s" if patience else what
            return Problem(what, SITE, answered)
        time.sleep(PAUSE)


def _look_at_host(host: Host) -> Problem | None:
    try:
        host.run("true")
    except RuntimeError as error:
        said = " ".join(str(getattr(error.args[0], "stderr", "")).split())[-160:] if error.args else ""
        return Problem(f"{name_of(host)} cannot be reached by ssh{f': {said}' if said else ''}", HOST)
    return None
