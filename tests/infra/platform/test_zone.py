"""Rulesets that a zone has already are named, with the command that imports each."""

from __future__ import annotations

import json
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from slipway.platforms.aws.zone import PHASES, refuse_foreign_rulesets
from slipway.settings import BadInput, Stack

ZONE = "b" * 32


class Api(ThreadingHTTPServer):
    rulesets: list[dict[str, Any]]
    tokens: list[str | None]


class Answers(BaseHTTPRequestHandler):
    server: Api  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        self.server.tokens.append(self.headers.get("authorization"))
        body = json.dumps({"success": True, "result": self.server.rulesets}).encode()
        self.send_response(200 if self.path == f"/zones/{ZONE}/rulesets" else 404)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def api() -> Generator[Api]:
    serving = Api(("127.0.0.1", 0), Answers)
    serving.rulesets, serving.tokens = [], []
    thread = Thread(target=serving.serve_forever, daemon=True)
    thread.start()
    yield serving
    serving.shutdown()
    serving.server_close()
    thread.join()


def stack(**cloudflare: object) -> Stack:
    zone = {"account": "a" * 32, "zone": ZONE, "zone_name": "acme.dev", **cloudflare}
    return Stack.model_validate(
        {
            "name": "prod",
            "project": "board",
            "platform": "aws",
            "domain": "board.acme.dev",
            "cloudflare": zone,
        }
    )


def judged(api: Api, environment: dict[str, str] | None = None, **cloudflare: object) -> None:
    token = {"CLOUDFLARE_API_TOKEN": "canary"} if environment is None else environment
    refuse_foreign_rulesets(stack(**cloudflare), token, f"http://127.0.0.1:{api.server_address[1]}")


def ruleset(name: str, phase: str = "http_ratelimit", kind: str = "zone") -> dict[str, Any]:
    return {"id": "c" * 32, "name": name, "phase": phase, "kind": kind}


def test_an_empty_zone_and_our_own_rulesets_are_taken(api: Api) -> None:
    judged(api)
    api.rulesets = [
        ruleset("slipway limit"),
        ruleset("default", kind="managed"),
        ruleset("x", "http_request_origin"),
    ]
    judged(api)
    assert api.tokens == ["Bearer canary"] * 2


@pytest.mark.parametrize("phase", PHASES)
def test_another_hands_ruleset_is_named_with_its_import(api: Api, phase: str) -> None:
    api.rulesets = [ruleset("default", phase)]
    with pytest.raises(BadInput, match="nothing was made") as refused:
        judged(api)
    (detail,) = refused.value.details
    assert f"{PHASES[phase]} zones/{ZONE}/{'c' * 32} --stack prod" in detail
    assert "canary" not in str(refused.value)


def test_nothing_is_asked_without_a_token_or_for_a_zone_of_another_stack(api: Api) -> None:
    api.rulesets = [ruleset("default")]
    judged(api, {})
    judged(api, manage_zone=False)
    assert api.tokens == []


def test_the_phases_are_those_of_the_program() -> None:
    from infra.proofs.agree_cloudflare import PHASES as KNOWN  # noqa: PLC0415

    assert set(PHASES) <= set(KNOWN)
