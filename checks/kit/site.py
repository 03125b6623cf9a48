"""The site as clients on the internet see it, anonymous or signed in: HTTP, WebSockets, TLS."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Literal, cast
from urllib.parse import urlsplit

import httpx
import websocket

from checks.kit.check import not_evaluated
from slipway.stack import LOAD_HEADER, STICKY_COOKIE, LiveStack
from slipway.traffic import Answer, Session, fill_body, sign_in, sign_in_steps

TIMEOUT = 10.0
"""Seconds for a connection to be made, and for an answer to a request that a check writes by hand."""
ANSWER_SECONDS = 30.0
"""How long any other answer may take: a busy host's is late, not missing. Load tests judge its speed."""
_TIMEOUT = httpx.Timeout(ANSWER_SECONDS, connect=TIMEOUT)


class Site:
    """The live site. The load key exempts its requests from the per-address limits, except `limited`."""

    def __init__(self, live: LiveStack, *, patience: float) -> None:
        self.live = live
        self.patience = patience
        """Longest wait of one check, in seconds."""

    @cached_property
    def client(self) -> httpx.Client:
        """A client exempt from the per-address limits; it keeps connections, but no cookies."""
        return self.new_client({LOAD_HEADER: self.live.load_key} if self.live.load_key else {})

    @cached_property
    def limited(self) -> httpx.Client:
        """A client that the per-address limits count."""
        return self.new_client({})

    def new_client(self, headers: dict[str, str], *, base_url: str = "", **options: Any) -> httpx.Client:
        """A new client that sends `headers`; paths are relative to `base_url` (default: the site's)."""
        no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
        return httpx.Client(
            base_url=base_url or self._base, headers={"Host": self.authority, **headers},
            verify=self.tls_context(), timeout=_TIMEOUT, cookies=no_cookies,
            event_hooks={"request": [self._name]}, **options,
        )  # fmt: skip

    def seen_from(self, host: str) -> httpx.Client:
        """A client that comes from the address of `host`, and that the per-address limits count as it."""
        edges = self.live.outputs.by_role("edge")
        address, port = (edges[0].address, 443) if edges else (self.live.host_name, self.live.address[1])
        return self.new_client({}, base_url=f"https://127.0.0.1:{self.live.tunnel(host, address, port)}")

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One request, exempt from the per-address limits."""
        return self.client.request(method, path, **options)

    def get(self, path: str, **options: Any) -> httpx.Response:
        """One GET request, exempt from the per-address limits."""
        return self.request("GET", path, **options)

    def at_uploads(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One request to the uploads bucket as browsers reach it; `path` is a path or a presigned URL."""
        uploads = self.live.outputs.uploads
        if uploads is None:
            raise AssertionError("the stack has no uploads bucket")
        endpoint = uploads.public_endpoint or f"https://s3.{uploads.region}.amazonaws.com"
        url = urlsplit(path if path.startswith("https://") else endpoint + path)
        name = url.hostname or ""
        return self._elsewhere.request(
            method, url._replace(netloc=f"{self.leads_to(name)}:{url.port or 443}").geturl(),
            headers={"Host": url.netloc, **options.pop("headers", {})},
            extensions={"sni_hostname": name}, **options,
        )  # fmt: skip

    def leads_to(self, name: str) -> str:
        """The host to connect to for `name`: one of the stack's own may not resolve yet, like the site's."""
        own = (self.live.host_name, self.live.stack.domain)
        is_own = any(name == each or name.endswith(f".{each}") for each in own)
        return self.live.address[0] if is_own else name

    @cached_property
    def _elsewhere(self) -> httpx.Client:
        return httpx.Client(verify=self.tls_context(), timeout=_TIMEOUT)

    def tls_context(self) -> ssl.SSLContext:
        """A context that trusts the CA of the site's certificate."""
        return ssl.create_default_context(cafile=self.live.outputs.ca_file or None)

    def connect(self, context: ssl.SSLContext | None = None) -> ssl.SSLSocket:
        """A TLS connection to the site; its certificate must be for the site's name."""
        plain = socket.create_connection(self.live.address, timeout=TIMEOUT)
        try:
            return (context or self.tls_context()).wrap_socket(plain, server_hostname=self.live.host_name)
        except BaseException:
            plain.close()
            raise

    def socket(
        self, path: str | None = None, *, origin: str | None = "", headers: dict[str, str] | None = None
    ) -> websocket.WebSocket:
        """A WebSocket to `path` (default: slipway.toml's), exempt from the limits unless `headers` are given.

        `origin`: "" is the site's own, None sends none. Raises websocket.WebSocketBadStatusException if the
        handshake is refused.
        """
        of_app = self.live.app.websocket
        where = path or (of_app.path if of_app else "/ws")
        own = {LOAD_HEADER: self.live.load_key} if self.live.load_key and headers is None else {}
        client = websocket.WebSocket()
        client.connect(  # pyright: ignore[reportUnknownMemberType]
            f"wss://{self.authority}{where}",
            socket=self.connect(),
            host=self.authority,
            origin=self.live.url if origin == "" else origin,
            suppress_origin=origin is None,
            header={**own, **(headers or {})},
            timeout=ANSWER_SECONDS,
        )
        return client

    def close(self) -> None:
        self.client.close()
        self.limited.close()

    @property
    def load_line(self) -> str:
        """The header line that exempts a request written by hand from the per-address limits."""
        return f"{LOAD_HEADER}: {self.live.load_key}\r\n" if self.live.load_key else ""

    @property
    def authority(self) -> str:
        """The value of the Host header: host and port."""
        return self.live.url.partition("://")[2]

    @property
    def _base(self) -> str:
        host, port = self.live.address
        return f"https://{host}:{port}"

    def _name(self, request: httpx.Request) -> None:
        """Verify the certificate for the site's name, although the connection may go to an address."""
        request.extensions["sni_hostname"] = self.live.host_name


@dataclass(frozen=True)
class Person:
    """The smoke user, signed in."""

    site: Site
    session: Session
    cookies: tuple[str, ...]
    """Every Set-Cookie header of the sign-in."""

    @property
    def cookie(self) -> str:
        """The Cookie header of the session; empty if signing in set no cookie."""
        return cookie_header(self.cookies)

    @property
    def identity(self) -> Mapping[str, str]:
        """The headers that say who this is: those of the smoke steps, else the session's cookie."""
        return self.session.headers or ({"Cookie": self.cookie} if self.cookie else {})

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One request as this user."""
        headers = {**self.identity, **options.pop("headers", {})}
        return self.site.request(method, path, headers=headers, **options)

    def ask(
        self, request: str, values: Mapping[str, str] | None = None, body: object = None
    ) -> httpx.Response:
        """Send `request`, `METHOD /path`; `${name}` becomes its value, and `"${size}"` a number."""
        method, _, path = request.partition(" ")
        for name, value in (values or {}).items():
            path = path.replace(f"${{{name}}}", value)
        return self.request(method, path, json=_filled(body, values or {}) if body is not None else None)


def sign_in_person(site: Site, live: LiveStack, env: Mapping[str, str] | None = None) -> Person:
    """Sign the smoke user in by the steps of `[[smoke.steps]]`; another one with another `env`."""
    cookies: list[str] = []

    def send(method: str, path: str, headers: Mapping[str, str], body: object) -> Answer:
        answer = site.request(method, path, headers=dict(headers), json=body)
        cookies.extend(answer.headers.get_list("set-cookie"))
        return Answer(answer.status_code, answer.text)

    session = sign_in(sign_in_steps(live.app), live.app, env or live.smoke_env, send)
    return Person(site, session, tuple(cookies))


def cookie_header(lines: Iterable[str]) -> str:
    """The Cookie header for Set-Cookie headers; a load balancer's cookie names a host and no user."""
    found = (line.partition(";")[0] for line in lines)
    return "; ".join(each for each in found if not each.startswith(STICKY_COOKIE))


def env_of_other(live: LiveStack) -> Mapping[str, str]:
    """The values that sign in `checks.other_user`; ends the check if the app does not declare one."""
    names = live.app.checks.other_user
    if not names:
        not_evaluated("declare checks.other_user in slipway.toml: another ordinary user")
    return {**live.smoke_env, **{name: live.smoke_env[other] for name, other in names.items()}}


def _filled(body: object, values: Mapping[str, str]) -> object:
    filled = fill_body(body, values)
    text = json.dumps(filled)
    if size := values.get("size"):
        text = text.replace(f'"{size}"', size)
    return json.loads(text)


def declared_request(
    site: Site, key: Literal["signed_in", "admin", "refresh", "malformed", "limited"]
) -> tuple[str, str]:
    """Method and path of a request that `[checks]` declares; ends the check if it does not."""
    given = cast("str | None", getattr(site.live.app.checks, key))
    if given is None:
        not_evaluated(f"declare checks.{key} in slipway.toml")
    method, _, path = given.partition(" ")
    return method, path
