"""The smoke user, signed in, as checks use it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from checks.kit.site import Site
from slipway.stack import LiveStack
from slipway.traffic import Answer, Session, fill_body, sign_in, steps_needed


@dataclass(frozen=True)
class Person:
    """A signed-in user of the site."""

    site: Site
    session: Session
    cookies: tuple[str, ...]
    """Every Set-Cookie of the sign-in, as it came."""

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One request as this user."""
        headers = {**self.session.headers, **options.pop("headers", {})}
        return self.site.request(method, path, headers=headers, **options)

    def ask(
        self, request: str, values: Mapping[str, str] | None = None, body: object = None
    ) -> httpx.Response:
        """`request` is `METHOD /path`; `${…}` are filled from `values`, `"${size}"` as a number."""
        method, _, path = request.partition(" ")
        for name, value in (values or {}).items():
            path = path.replace(f"${{{name}}}", value)
        return self.request(method, path, json=_filled(body, values or {}) if body is not None else None)


def sign_in_person(site: Site, live: LiveStack) -> Person:
    """Signs the smoke user in by the steps that the app's smoke test has for it."""
    cookies: list[str] = []

    def send(method: str, path: str, headers: Mapping[str, str], body: object) -> Answer:
        answer = site.request(method, path, headers=dict(headers), json=body)
        cookies.extend(answer.headers.get_list("set-cookie"))
        return Answer(answer.status_code, answer.text)

    session = sign_in(steps_needed(live.app), live.app, live.smoke_env, send)
    return Person(site, session, tuple(cookies))


def _filled(body: object, values: Mapping[str, str]) -> object:
    filled = fill_body(body, values)
    text = json.dumps(filled)
    if size := values.get("size"):
        text = text.replace(f'"{size}"', size)
    return json.loads(text)
