"""Webhooks and writes (X15, X16, S2)."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from typing import cast

import httpx

from checks.kit.check import check, not_evaluated
from checks.kit.site import Person, Site
from slipway.stack import CheckWebhook
from slipway.traffic import fill, fill_body


def _webhook(site: Site) -> CheckWebhook:
    if site.live.app.checks.webhook is None:
        not_evaluated("declare [checks.webhook] in slipway.toml")
    return site.live.app.checks.webhook


def _call(
    site: Site, *, key: str, secret: str | None = None, age: int = 0, mark: str = "check"
) -> httpx.Response:
    """One webhook call, signed as the app declares."""
    hook = _webhook(site)
    body = json.dumps(fill_body(hook.body, {"n": mark}))
    stamp = str(int(time.time()) - age)
    with_secret = site.live.secret(hook.secret) if secret is None else secret
    signed = fill(hook.signed, {"timestamp": stamp, "body": body, "key": key})
    signature = hmac.new(with_secret.encode(), signed.encode(), hashlib.sha256).hexdigest()
    values = {"timestamp": stamp, "signature": signature, "key": key}
    headers = {name: fill(value, values) for name, value in hook.headers.items()}
    return site.request(
        "POST", hook.path, content=body, headers={"Content-Type": "application/json", **headers}
    )


@check(
    "X15",
    severity="critical",
    asvs="9.1.1",
    why="without a signature, anyone can send events in a partner's name",
    remedy="verify the signature over the raw body",
    needs=("checks.webhook",),
)
def test_an_unsigned_webhook_is_refused(site: Site) -> None:
    hook = _webhook(site)
    status = site.request("POST", hook.path, json={}).status_code
    assert status in (400, 401, 403), f"without a signature it answers {status}"
    wrong = _call(site, key=secrets.token_hex(8), secret="not the secret").status_code  # noqa: S106 - wrong on purpose
    assert wrong in (400, 401, 403), f"with a wrong signature it answers {wrong}"


@check(
    "X15",
    severity="high",
    why="without a time limit, a recorded call can be replayed",
    remedy="sign a timestamp too, and refuse old ones",
    needs=("checks.webhook",),
)
def test_an_old_webhook_is_refused(site: Site) -> None:
    if "${timestamp}" not in _webhook(site).signed:
        not_evaluated("the webhook signs no timestamp (checks.webhook.signed)")
    status = _call(site, key=secrets.token_hex(8), age=3600).status_code
    assert status in (400, 401, 403), f"a call signed an hour ago is answered with {status}"


@check(
    "X15",
    severity="high",
    why="senders retry, so a webhook without idempotency acts twice",
    remedy="keep the idempotency key in the same transaction as the effect",
    needs=("smoke.steps", "checks.webhook"),
)
def test_a_webhook_sent_twice_acts_once(site: Site, person: Person) -> None:
    hook = _webhook(site)
    key, mark = f"check-{secrets.token_hex(8)}", f"w{secrets.token_hex(6)}"
    first, second = _call(site, key=key, mark=mark), _call(site, key=key, mark=mark)
    assert first.is_success, f"the first call is answered with {first.status_code}"
    assert second.is_success, f"the second call is answered with {second.status_code}"
    assert hook.again in second.text, f"the second call is answered with {second.text[:80]!r}"
    write = site.live.app.checks.write
    if write is not None:
        path = write.request.partition(" ")[2]
        times = person.request("GET", path).text.count(mark)
        assert times <= 1, f"it acted {times} times"


@check(
    "S2",
    "X16",
    severity="critical",
    why="if a record cannot be written and read, the app is down, whatever /health says",
    remedy="read the app's logs: slipway logs",
    needs=("smoke.steps", "checks.write"),
)
def test_a_user_reads_what_was_written(site: Site, person: Person) -> None:
    write = site.live.app.checks.write
    if write is None:
        not_evaluated("declare [checks.write] in slipway.toml")
    mark = f"r{secrets.token_hex(6)}"
    answer = person.ask(write.request, {"n": mark}, write.body)
    assert answer.status_code == write.status, f"{write.request} answers {answer.status_code}"
    try:
        assert mark in person.request("GET", write.request.partition(" ")[2]).text, (
            "it is not there to be read"
        )
    finally:
        if write.undo:
            person.ask(write.undo, {"id": str(json.loads(answer.text).get("id", ""))})


@check(
    "X16",
    severity="high",
    asvs="2.2.1",
    why="mass assignment lets a client set a role, an owner or an id",
    remedy="validate bodies against a strict schema",
    needs=("smoke.steps", "checks.write"),
)
def test_unknown_fields_are_refused_or_ignored(site: Site, person: Person) -> None:
    write = site.live.app.checks.write
    if write is None:
        not_evaluated("declare [checks.write] in slipway.toml")
    mark = f"m{secrets.token_hex(6)}"
    planted = {"role": "admin", "ownerId": "00000000-0000-4000-8000-000000000000", "isAdmin": True}
    answer = person.ask(write.request, {"n": mark}, {**write.body, **planted})
    if answer.status_code == write.status:
        created = cast("dict[str, object]", json.loads(answer.text))
        if write.undo:
            person.ask(write.undo, {"id": str(created.get("id", ""))})
        taken = [name for name, value in planted.items() if created.get(name) == value]
        assert not taken, f"accepted: {', '.join(taken)}"
    else:
        assert 400 <= answer.status_code < 500, f"it is answered with {answer.status_code}"
