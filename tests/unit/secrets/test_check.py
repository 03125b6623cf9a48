from __future__ import annotations

import base64
import os

import pytest
from hypothesis import given, strategies as st

from slipway.secrets.check import check, weaknesses
from slipway.secrets.contract import generate
from slipway.settings import App, BadInput, Stack
from tests.unit.secrets.conftest import app_with

Secrets = dict[str, str]


def kinds(app: App, stack: Stack, secrets: Secrets) -> dict[str, str]:
    return {found.name: found.kind for found in check(app, stack, secrets)}


def test_fitting_secrets_have_no_findings(app: App, stack: Stack, secrets: Secrets):
    assert check(app, stack, secrets) == []


def test_what_is_missing_says_how_it_is_made_or_set(app: App, stack: Stack):
    problems = {found.name: found for found in check(app, stack, {})}
    assert set(problems) == {"JWT_SECRET", "STRIPE_KEY", "SMOKE_PASSWORD"}
    assert problems["JWT_SECRET"].remedy == "slipway secrets generate --stack preview"
    assert problems["STRIPE_KEY"].remedy == "slipway secrets set STRIPE_KEY --stack preview"


def test_a_short_secret_is_found(app: App, stack: Stack, secrets: Secrets):
    problems = check(app, stack, secrets | {"JWT_SECRET": "k9Q2wL7xVbN4mZ8r"})
    assert [(found.kind, found.problem) for found in problems] == [
        ("contract", "must be at least 32 characters, has 16")
    ]
    assert problems[0].remedy == "slipway secrets generate --rotate JWT_SECRET --stack preview"


def test_a_test_key_is_right_in_preview_and_wrong_in_prod(app: App, stack: Stack, secrets: Secrets):
    prod = Stack(name="prod", project="board", platform="aws", domain="a.example")
    assert kinds(app, stack, secrets) == {}
    assert kinds(app, prod, secrets) == {"STRIPE_KEY": "contract"}


@pytest.mark.parametrize(
    "value",
    [
        "changeme",
        "password123",
        "secret",
        "your-production-jwt-secret-min-32-chars",
        "your_api_key_here",
        "dev-secret-dev-secret-dev-secret-dev",
        "super-secret-jwt-token-with-at-least-32-characters-long",
        "please_change_this_in_production_123456",
        "sk_live_xxxxxxxxxxxxxxxxxxxxxxxx",
        "<insert key>",
        "test",
    ],
)
def test_what_examples_and_development_use_is_found(value: str):
    assert [kind for kind, _ in weaknesses(value)] == ["development"]


@pytest.mark.parametrize(
    "value",
    [
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "abcabcabcabcabcabcabcabcabcabcabc",
        "0123456789abcdefghijkl",
        "hunter22",
    ],
)
def test_what_has_too_little_variety_is_found(value: str):
    assert [kind for kind, _ in weaknesses(value)] == ["entropy"]


@given(st.binary(min_size=16, max_size=64).filter(lambda raw: len(set(raw)) > 12))
def test_random_bytes_are_strong_in_hex_and_base64(raw: bytes):
    # Bytes that hypothesis chooses are not random; mixed with random ones of the same length they are.
    mixed = bytes(a ^ b for a, b in zip(raw, os.urandom(len(raw)), strict=True))
    assert weaknesses(mixed.hex()) == []
    assert weaknesses(base64.b64encode(mixed).decode()) == []


def test_one_value_under_two_names_is_found(app: App, stack: Stack, secrets: Secrets):
    problems = check(app, stack, secrets | {"SMOKE_PASSWORD": secrets["PLATFORM_REDIS_PASSWORD"]})
    assert [(found.name, found.problem) for found in problems] == [
        ("SMOKE_PASSWORD", "has the same value as PLATFORM_REDIS_PASSWORD")
    ]


def test_a_value_of_another_stack_is_found(app: App, stack: Stack, secrets: Secrets):
    prod = {"JWT_SECRET": secrets["JWT_SECRET"], "OTHER": "s0mething-quite-else"}
    problems = check(app, stack, secrets, others={"prod": prod, "preview": secrets})
    assert [found.problem for found in problems] == ["has the same value as JWT_SECRET of stack prod"]


def test_no_problem_holds_a_value(app: App, stack: Stack):
    weak = {"JWT_SECRET": "hunter22", "STRIPE_KEY": "hunter22", "SMOKE_PASSWORD": "changeme"}
    assert "hunter22" not in repr(check(app, stack, weak, others={"prod": weak}))


def test_an_entry_that_the_contract_does_not_know_is_no_problem(app: App, stack: Stack, secrets: Secrets):
    assert check(app, stack, secrets | {"OLD_KEY": "q8Rk2Vw5Zt7Yb3Nm"}) == []


def test_generate_fills_what_is_missing_and_leaves_what_is_there(app: App, stack: Stack):
    made = generate(app)
    assert set(made) == {"JWT_SECRET", "SMOKE_PASSWORD"}
    assert len(base64.b64decode(made["JWT_SECRET"])) == 32
    assert len(bytes.fromhex(made["SMOKE_PASSWORD"])) == 16
    assert generate(app, made) == {}
    assert set(kinds(app, stack, made)) == {"STRIPE_KEY"}


def test_generate_makes_anew_only_what_is_named(app: App, secrets: Secrets):
    made = generate(app, secrets, rotate=["JWT_SECRET"])
    assert list(made) == ["JWT_SECRET"]
    assert made["JWT_SECRET"] != secrets["JWT_SECRET"]
    with pytest.raises(BadInput, match="STRIPE_KEY cannot be generated"):
        generate(app, secrets, rotate=["STRIPE_KEY"])


def test_generate_gives_up_on_a_pattern_that_nothing_fits():
    app = app_with({"X": {"secret": True, "generate": "hex:16", "pattern": "sk_.*"}})
    with pytest.raises(BadInput, match=r"env\.X: nothing that hex:16 makes fits"):
        generate(app)
