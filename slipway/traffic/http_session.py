"""HTTP to the target for users of load tests: locust's fast client, over our connections.

Certificates are verified, lost requests are seen, and a visit's first request is timed from when it is due.
"""

# Locust and its HTTP client are partly untyped.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownLambdaType=false

import ssl
import time
from collections.abc import Mapping
from http.cookiejar import Cookie, CookieJar
from typing import Any

from geventhttpclient.client import HTTPClientPool
from locust.contrib.fasthttp import FastHttpSession
from locust.event import EventHook
from locust.user import User

from slipway.settings import BadInput
from slipway.traffic.connection import HttpClient
from slipway.traffic.samples import HTTP
from slipway.traffic.sign_in import Answer, Session, sign_in, sign_in_steps
from slipway.traffic.target import STICKY_COOKIE, Target

__all__ = ["HttpSession", "sign_in_by"]


class HttpSession(FastHttpSession):
    """One client's connection and cookies. It follows no redirect: the load key is for the target only."""

    def __init__(
        self,
        target: Target,
        events: EventHook,
        user: User | None = None,
        *,
        number: int = 0,
        timeout: float = 10.0,
    ) -> None:
        """`number` chooses the host whose sticky cookie it starts with; `timeout`: seconds for a request."""
        super().__init__(
            target.url,
            _Timed(self, events),
            user,
            insecure=False,
            client_pool=_TargetPool(target, timeout),
            ssl_context_factory=ssl.create_default_context,
            headers=target.headers,
            max_retries=0,
        )
        self.cookiejar = self.client.cookiejar = _CookieJar()
        self.client.redirect_response_codes = frozenset()  # pyright: ignore[reportAttributeAccessIssue] - locust does so
        self.due: float | None = None
        """When the next request is due (`time.perf_counter`); None: when it is sent."""
        self.began = 0.0
        """When the latest request was sent."""
        if home := target.home(number):
            self.cookiejar.set_cookie(_cookie(STICKY_COOKIE, home, target))

    def request(  # pyright: ignore[reportIncompatibleMethodOverride] - takes all of it, by name
        self, method: str, url: str, name: str | None = None, **options: Any
    ) -> Any:
        """As in locust; `url` is a path of the site. It is reported as `GET /path`, or `GET name`."""
        if not url.startswith("/"):
            raise BadInput(f"{url}: a load test only sends to its stack", remedy='write a path: "/health"')
        self.began = time.perf_counter()
        return super().request(method, url, f"{method} {name or url}", **options)

    @property
    def identity_cookies(self) -> list[Cookie]:
        """The cookies that the app has set."""
        return [cookie for cookie in self.cookiejar if cookie.name != STICKY_COOKIE]

    def close(self) -> None:
        """Close the connections."""
        self.client.clientpool.close()


def sign_in_by(session: HttpSession, target: Target) -> Session:
    """Sign in by the smoke steps, which are reported as requests. SlipwayError names a step that failed."""
    steps = sign_in_steps(target.app)
    expected = iter(steps)

    def send(method: str, path: str, headers: Mapping[str, str], body: object) -> Answer:
        step = next(expected)
        name = step.request.partition(" ")[2]
        with session.request(
            method, path, name, headers=dict(headers), json=body, catch_response=True
        ) as answer:
            if answer.status_code == step.status:
                answer.success()
            return Answer(answer.status_code, answer.text or "")

    return sign_in(steps, target.app, target.values, send)


class _Timed:
    """Stands in for locust's request event: reports each request as kind HTTP, timed from when it was due."""

    def __init__(self, session: HttpSession, events: EventHook) -> None:
        self._session = session
        self._fire = events.fire

    def fire(self, **meta: Any) -> None:
        """Report a request to locust."""
        session = self._session
        if session.due is not None:
            meta["response_time"] += (session.began - session.due) * 1000
            session.due = None
        meta["request_type"] = HTTP
        self._fire(**meta)


class _CookieJar(CookieJar):
    """Does nothing while there are no cookies: Python's cookies take half as long as a request."""

    def __init__(self) -> None:
        super().__init__()
        self._any = False

    def set_cookie(self, cookie: Cookie) -> None:
        """Keep a cookie."""
        self._any = True
        super().set_cookie(cookie)

    def add_cookie_header(self, request: Any) -> None:
        """Add the cookies for a request."""
        if self._any:
            super().add_cookie_header(request)

    def extract_cookies(self, response: Any, request: Any) -> None:
        """Keep the cookies that an answer sets."""
        if "set-cookie" in response.headers:
            super().extract_cookies(response, request)


class _TargetPool(HTTPClientPool):
    """Gives locust's client the target's `HttpClient`, whatever it asks for."""

    def __init__(self, target: Target, timeout: float) -> None:
        super().__init__()
        self._client: Any = HttpClient(target, timeout)

    def get_client(self, url: Any) -> Any:
        """The one client there is; `url` is always the target's."""
        del url
        return self._client

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _cookie(name: str, value: str, target: Target) -> Cookie:
    host = target.host_name
    return Cookie(
        version=0,
        name=name,
        value=value,
        port=None,
        port_specified=False,
        domain=host if "." in host else f"{host}.local",  # http.cookiejar's form of a name without a dot
        domain_specified=False,
        domain_initial_dot=False,
        path="/",
        path_specified=True,
        secure=False,
        expires=None,
        discard=False,
        comment=None,
        comment_url=None,
        rest={},
    )
