"""HTTP to the aim, on locust's fast client: certificates verified, and timed from intended starts."""

# Locust and its HTTP client are partly untyped.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownLambdaType=false

from __future__ import annotations

import ssl
import time
from http.cookiejar import Cookie, CookieJar
from typing import Any

from geventhttpclient.client import HTTPClient, HTTPClientPool
from locust.contrib.fasthttp import FastHttpSession
from locust.event import EventHook
from locust.user import User

from slipway.settings.errors import BadInput
from slipway.traffic.samples import HTTP
from slipway.traffic.target import STICKY_COOKIE, Aim

__all__ = ["HttpSession"]


class HttpSession(FastHttpSession):
    """One client's connection and cookies. Redirects are not followed: the load key is for the site alone."""

    def __init__(
        self, aim: Aim, events: EventHook, user: User | None = None, *, number: int = 0, timeout: float = 10.0
    ) -> None:
        """`number` chooses the host the client is at home on; `timeout` holds for each wait, in seconds."""
        pool = _AimedPool(aim, timeout)
        # locust checks no certificate unless told to, twice: `insecure`, and its factory of contexts.
        super().__init__(
            aim.url,
            _Timed(self, events),
            user,
            insecure=False,
            client_pool=pool,
            ssl_context_factory=pool.tls,
            headers=aim.headers,
            max_retries=0,
        )
        self.cookiejar = self.client.cookiejar = _Jar()
        self.client.redirect_response_codes = frozenset()  # pyright: ignore[reportAttributeAccessIssue] - locust does so
        self.due: float | None = None
        """When the next request was meant to start (`time.perf_counter`); None: when it does."""
        self.began = 0.0
        """When the latest request did start."""
        if home := aim.home(number):
            self.cookiejar.set_cookie(_cookie(STICKY_COOKIE, home, aim))

    def request(  # pyright: ignore[reportIncompatibleMethodOverride] - takes all of it, by name
        self, method: str, url: str, name: str | None = None, **options: Any
    ) -> Any:
        """As in locust; `url` is a path of the site. Shown as `GET /path`, or as `name`."""
        if not url.startswith("/"):
            raise BadInput(f"{url}: a load test asks its own stack only", remedy='write a path: "/health"')
        self.began = time.perf_counter()
        return super().request(method, url, f"{method} {name or url}", **options)

    def close(self) -> None:
        """Close the connections."""
        self.client.clientpool.close()


class _Timed:
    """Stands in for locust's request event: passes each on as of kind HTTP, timed from its intended start."""

    def __init__(self, session: HttpSession, events: EventHook) -> None:
        self._session = session
        self._fire = events.fire

    def fire(self, **meta: Any) -> None:
        """Tell locust of a request."""
        session = self._session
        if session.due is not None:
            meta["response_time"] += (session.began - session.due) * 1000
            session.due = None
        meta["request_type"] = HTTP
        self._fire(**meta)


class _Jar(CookieJar):
    """Python's cookies take as long as half a request: not where there are none."""

    def add_cookie_header(self, request: Any) -> None:
        """Add what there is."""
        if self._cookies:  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
            super().add_cookie_header(request)

    def extract_cookies(self, response: Any, request: Any) -> None:
        """Keep what the answer sets."""
        if "set-cookie" in response.headers:
            super().extract_cookies(response, request)


class _AimedPool(HTTPClientPool):
    """Connects to the aim's address by the site's name, and nowhere else."""

    def __init__(self, aim: Aim, timeout: float) -> None:
        self._aim = aim
        self._only: HTTPClient | None = None
        super().__init__(
            ssl_context_factory=self.tls,
            insecure=False,
            concurrency=1,
            connection_timeout=timeout,
            network_timeout=timeout,
        )

    def tls(self, cafile: str | None = None) -> ssl.SSLContext:
        """The aim's; what the client library would trust by itself is left out."""
        del cafile
        return self._aim.tls

    def get_client(self, url: Any) -> HTTPClient:
        """The one client there is; `url` is always the site's."""
        if self._only is None:
            self._only = super().get_client(url)
            # Only here can the address differ from the name; the certificate is still checked for the name.
            connections = self._only._connection_pool  # pyright: ignore[reportPrivateUsage]
            connections._connection_host, connections._connection_port = self._aim.address  # pyright: ignore[reportPrivateUsage]
        return self._only


def _cookie(name: str, value: str, aim: Aim) -> Cookie:
    host = aim.host_name
    # http.cookiejar knows names without a dot by this one.
    domain = host if "." in host else f"{host}.local"
    return Cookie(
        0,
        name,
        value,
        None,
        False,
        domain,
        False,
        False,
        "/",
        True,
        False,
        None,
        False,
        None,
        None,
        {},
        False,
    )
