"""A user that makes a visit whenever one is due; its scenario is the method `visit`."""

# Locust and its HTTP client are partly untyped.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownLambdaType=false

import time
from typing import Any, ClassVar

from locust import task
from locust.contrib.fasthttp import FastHttpUser
from locust.env import Environment

from slipway.settings import App, SlipwayError, Step
from slipway.traffic.http_session import HttpSession
from slipway.traffic.run import run_of
from slipway.traffic.samples import VISIT
from slipway.traffic.sign_in import fill, fill_body, pick

__all__ = ["HttpUser"]


class HttpUser(FastHttpUser):
    """Subclass it and write `visit`. The first request of a visit is timed from when the visit was due."""

    abstract = True
    insecure = False
    visit_seconds: ClassVar[float] = 5.0
    """Expected longest visit: times the arrivals a second, it gives the number of users that stand by."""

    client: HttpSession  # pyright: ignore[reportIncompatibleVariableOverride] - it is one of locust's

    @classmethod
    def suits(cls, app: App) -> bool:
        """False if this user has nothing to do on `app`; it is then not spawned."""
        del app
        return True

    @classmethod
    def own_rate(cls, app: App) -> float | None:
        """Visits a second; None: a share of the profile's arrivals, by `weight`."""
        del app

    def __init__(self, environment: Environment) -> None:
        self.load = run_of(environment)
        self.target = self.load.target
        self.host = self.target.url
        super().__init__(environment)
        self.client = HttpSession(  # pyright: ignore[reportIncompatibleVariableOverride] - the same
            self.target,
            environment.events.request,
            self,
            number=next(self.load.numbers),
            timeout=self.load.load.patience_seconds,
        )
        self._queue = self.load.queue(type(self))
        self._called = False

    def visit(self) -> None:
        """The scenario: one visit, from arriving to leaving."""
        raise NotImplementedError(f"{type(self).__name__}.visit")

    # ── what a visit is made of ───────────────────────────────────────────────────────────────────

    def get(self, path: str, **options: Any) -> Any:
        """GET, as `self.client.get`."""
        return self.client.request("GET", path, **options)

    def post(self, path: str, body: object = None, **options: Any) -> Any:
        """POST with a JSON body."""
        return self.client.request("POST", path, json=body, **options)

    def delete(self, path: str, **options: Any) -> Any:
        """DELETE, as `self.client.delete`."""
        return self.client.request("DELETE", path, **options)

    def signed_in(self) -> dict[str, str]:
        """Headers of the signed-in smoke user; where the app uses cookies instead, this user now has them."""
        session = self.load.identity.session()
        if not session.headers:
            for cookie in self.load.identity_cookies:
                self.client.cookiejar.set_cookie(cookie)
        return dict(session.headers)

    def take(self, step: Step, known: dict[str, str]) -> None:
        """Make the request of a smoke step, filled from `known`; what it captures is added to `known`.

        A wrong status or text is an error of the request, and ends the visit.
        """
        method, _, template = step.request.partition(" ")
        headers = {name: fill(value, known) for name, value in step.headers.items()}
        body = None if step.body is None else fill_body(step.body, known)
        with self.client.request(
            method, fill(template, known), template, headers=headers, json=body, catch_response=True
        ) as answer:
            if answer.status_code != step.status:
                if answer.status_code:
                    answer.failure(f"expected {step.status}, got {answer.status_code}")
                raise Unexpected(step.name)
            text = answer.text or ""
            if step.contains and step.contains not in text:
                answer.failure(f"the answer does not contain {step.contains!r}")
                raise Unexpected(step.name)
            answer.success()
            if step.capture:
                document = answer.json()
                known.update({name: pick(document, dotted) for name, dotted in step.capture.items()})

    def known(self) -> dict[str, str]:
        """Values for the smoke steps after sign-in: the env of scope smoke, and what the sign-in captured."""
        session = self.load.identity.session()
        if not session.headers:
            self.signed_in()
        return {**self.target.values, **session.captures}

    # ── when visits are made ──────────────────────────────────────────────────────────────────────

    def wait_time(self) -> float:
        """Waits until a visit is due. Locust may end a user that waits; one on a visit finishes it first."""
        self._queue.wait()
        self._called = True
        return 0.0

    @task
    def _visit_when_due(self) -> None:
        if not self._called:
            return  # locust's first call, before it has waited
        self._called = False
        due = self._queue.take()
        if due is None:
            return  # dropped meanwhile
        self.client.due = due
        try:
            self.visit()
        except Unexpected:
            pass
        except SlipwayError as failed:
            self._abandoned(failed)
        finally:
            self._queue.finish()

    def _abandoned(self, failed: SlipwayError) -> None:
        """Report a visit that could not go on though no request of it failed, for want of a sign-in."""
        due, self.client.due = self.client.due, None
        began = due if due is not None else self.client.began
        self.load.report(VISIT, type(self).__name__, (time.perf_counter() - began) * 1000, failed.message)


class Unexpected(Exception):
    """The visit cannot go on; the request that caused it has been reported."""
