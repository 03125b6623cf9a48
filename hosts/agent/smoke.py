"""Smoke: requests and a WebSocket handshake against the idle slot, before any user reaches it."""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import time

from . import envfile
from .errors import AgentError
from .handover import finish_interrupted
from .host import Host, Paths
from .json_object import JsonObject
from .state import Exclusive, order_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_BODY = 200
"""Characters of an answer that an error shows."""


def command(paths: Paths, host: Host, request: JsonObject) -> dict[str, object]:
    """See docs/agent.md, `smoke`. Raises `smoke_failed` with the step, the expected and the actual result."""
    with Exclusive(paths, "smoke", order_of(request)) as state:
        finish_interrupted(paths, host, state)
        release = request.whole("release")
        slot = state.holding(release)
        if slot is None or slot.name == state.active or slot.state not in ("booted", "warm"):
            raise AgentError("not_warm", f"release {release} is not booted in the idle slot of {host.name}")
    address = loopback(f"{host.name} {release}")
    site = request.text("site", slot.site)
    return attempt(paths.candidate_port, address, site, request, envfile.secrets(paths, slot))


def attempt(port: int, address: str, site: str, request: JsonObject, secrets: list[str]) -> dict[str, object]:
    """Take the request's steps at `port`, as a client at `address`. Raises `smoke_failed`.

    No answer that is shown contains one of `secrets`.
    """
    begun = time.monotonic()
    values = dict(request.strings("values"))
    hidden = [*envfile.disguises(values.values()), *secrets]
    browser = _Browser(port, address, site, request.number("timeout", 10))
    done: list[dict[str, object]] = []
    for step in request.sections("steps"):
        done.append(_step(browser, step, values, hidden))
    if request.has("websocket"):
        path = fill(request.section("websocket").text("path", "/ws"), values)
        done.append(_handshake(browser, path, hidden))
    return {"steps": done, "seconds": round(time.monotonic() - begun, 3)}


def loopback(name: str) -> str:
    """An address in 127.0.0.0/8 that belongs to `name`, and is not 127.0.0.1.

    The app sees it as the client's. Many apps count requests by address: those of one smoke test must not
    use up the limit of the next, nor those of other hosts.
    """
    second, third, fourth = hashlib.sha256(name.encode()).digest()[:3]
    return f"127.{1 + second % 254}.{third}.{1 + fourth % 254}"


class _Browser:
    """Sends requests to a port of this host, with the cookies set so far."""

    def __init__(self, port: int, address: str, site: str, timeout: float) -> None:
        self.port = port
        self.address = address
        self.site = site
        self.timeout = timeout
        self.cookies: dict[str, str] = {}

    def send(
        self, method: str, path: str, headers: dict[str, str], body: bytes | None
    ) -> tuple[int, http.client.HTTPMessage, str]:
        """Status, headers and text of the answer. The body of a handshake is not read."""
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.port, timeout=self.timeout, source_address=(self.address, 0)
        )
        given = {
            "Host": self.site,
            "Origin": f"https://{self.site}",
            "X-Forwarded-Proto": "https",
            "User-Agent": "slipway-smoke",
            # As the edge vouches for load tests: all hosts sign in as one user, many of them at once.
            "X-Load-Test": "verified",
            **headers,
        }
        if self.cookies and "Cookie" not in given:
            given["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        try:
            connection.request(method, path, body=body, headers=given)
            answer = connection.getresponse()
            text = "" if answer.status == 101 else answer.read(1 << 20).decode(errors="replace")
            for cookie in answer.headers.get_all("Set-Cookie") or []:
                name, _, value = cookie.partition(";")[0].partition("=")
                self.cookies[name.strip()] = value.strip()
            return answer.status, answer.headers, text
        finally:
            connection.close()


def _step(
    browser: _Browser, step: JsonObject, values: dict[str, str], hidden: list[str]
) -> dict[str, object]:
    name = step.text("name")
    method, _, path = fill(step.text("request"), values).partition(" ")
    headers = {key: fill(value, values) for key, value in step.strings("headers").items()}
    body = fill_body(step.raw.get("json"), values)
    if body is not None and not any(key.lower() == "content-type" for key in headers):
        headers["Content-Type"] = "application/json"
    begun = time.perf_counter()
    status, _, text = _sent(browser, name, hidden, method, path, headers, body)
    took = round((time.perf_counter() - begun) * 1000, 1)
    shown = _redact(text, hidden)
    wanted = step.whole("status", 200)
    if status != wanted:
        raise _failed(name, f"expected status {wanted}, got {status}: {shown}")
    contains = fill(step.text("contains", ""), values)
    if contains not in text:
        raise _failed(name, f"expected {_redact(contains, hidden)!r} in the answer, got: {shown}")
    for variable, dotted in step.strings("capture").items():
        value = capture(text, dotted)
        if value is None:
            raise _failed(name, f"expected {dotted} in the JSON answer, got: {shown}")
        values[variable] = value
        hidden += envfile.disguises([value])
    return {"name": name, "status": status, "ms": took}


def _handshake(browser: _Browser, path: str, hidden: list[str]) -> dict[str, object]:
    """RFC 6455, section 4: 101 and the digest of our key."""
    import base64
    import hashlib
    import os

    key = base64.b64encode(os.urandom(16)).decode()
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": key,
    }
    begun = time.perf_counter()
    status, got, text = _sent(browser, "websocket", hidden, "GET", path, headers, None)
    took = round((time.perf_counter() - begun) * 1000, 1)
    digest = hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode(), usedforsecurity=False)
    if status != 101:
        raise _failed("websocket", f"expected status 101, got {status}: {_redact(text, hidden)}")
    if got.get("Sec-WebSocket-Accept") != base64.b64encode(digest.digest()).decode():
        raise _failed("websocket", "the answer's Sec-WebSocket-Accept does not fit the key")
    return {"name": "websocket", "status": status, "ms": took}


def _sent(
    browser: _Browser, name: str, hidden: list[str], method: str, path: str, headers: dict[str, str],
    body: bytes | None,
) -> tuple[int, http.client.HTTPMessage, str]:  # fmt: skip
    try:
        return browser.send(method, path, headers, body)
    except (OSError, http.client.HTTPException) as error:
        got = f"nothing within {browser.timeout:g} s" if isinstance(error, TimeoutError) else str(error)
        raise _failed(name, f"{method} {_redact(path, hidden)}: {got}") from None


def _redact(text: str, hidden: list[str]) -> str:
    return envfile.redact(text, hidden)[:_BODY]


def _failed(step: str, message: str) -> AgentError:
    return AgentError("smoke_failed", f"step {step!r}: {message}", detail={"step": step})


def fill(text: str, values: dict[str, str]) -> str:
    """Replace `${NAME}` by its value. Raises `bad_request` for an unknown name."""

    def value(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise AgentError("bad_request", f"${{{match[1]}}} is neither given nor captured so far")
        return values[match[1]]

    return re.sub(r"\$\{(\w+)\}", value, text)


def fill_body(body: object, values: dict[str, str]) -> bytes | None:
    """A request's body: text unchanged, anything else as JSON with the values escaped as JSON strings."""
    if body is None:
        return None
    if isinstance(body, str):
        return fill(body, values).encode()
    escaped = {name: json.dumps(value)[1:-1] for name, value in values.items()}
    return fill(json.dumps(body), escaped).encode()


def capture(text: str, dotted: str) -> str | None:
    """The value at a dotted path of a JSON answer (numbers count list items from 0), or None."""
    try:
        node: Any = json.loads(text)
        for part in dotted.split("."):
            node = node[int(part) if isinstance(node, list) else part]
    except (ValueError, KeyError, IndexError, TypeError):
        return None
    return node if isinstance(node, str) else json.dumps(node)
