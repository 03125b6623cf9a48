from __future__ import annotations

from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given, strategies as st

from slipway.secrets.contract import compose, config_version, fill_secrets
from slipway.settings import App, BadInput, Outputs, Stack
from tests.unit.secrets.conftest import app_with

Secrets = dict[str, str]


def test_each_scope_gets_what_it_may_have_and_no_more(
    app: App, stack: Stack, outputs: Outputs, secrets: Secrets
):
    names = {
        scope: set(compose(app, stack, outputs, secrets, scope))
        for scope in ("web", "jobs", "migrate", "task", "cron", "smoke")
    }
    everywhere = {"NODE_ENV", "REDIS_URL", "JWT_SECRET", "STRIPE_KEY"}
    assert names == {
        "web": everywhere | {"DATABASE_URL", "S3_KEY"},
        "jobs": everywhere | {"DATABASE_URL"},
        "task": everywhere,
        "cron": everywhere,
        "migrate": {"NODE_ENV", "OWNER_URL"},
        "smoke": {"SMOKE_PASSWORD"},
    }


def test_secrets_in_urls_are_percent_encoded_so_that_the_url_still_parses(
    app: App, stack: Stack, outputs: Outputs, secrets: Secrets
):
    env = compose(app, stack, outputs, secrets, "web")
    url = urlsplit(env["DATABASE_URL"])
    assert (url.hostname, url.port, url.path) == ("10.0.0.4", 6432, "/board")
    assert unquote(url.password or "") == secrets["PLATFORM_DATABASE_APP_PASSWORD"]
    assert env["S3_KEY"] == secrets["PLATFORM_UPLOADS_SECRET_KEY"]


@given(st.text(min_size=1).filter(lambda text: "\0" not in text and text.isprintable()))
def test_any_password_survives_the_url(password: str):
    filled = fill_secrets("postgres://app:${secret:P}@db:5432/x", {"P": password}, "prod")
    assert unquote(urlsplit(filled).password or "") == password
    assert urlsplit(filled).hostname == "db"


def test_a_stack_overrides_plain_settings(app: App, outputs: Outputs, secrets: Secrets):
    stack = Stack(name="preview", project="board", platform="local", env={"NODE_ENV": "staging"})
    assert compose(app, stack, outputs, secrets, "web")["NODE_ENV"] == "staging"


def test_all_that_is_missing_is_named_at_once_with_the_command_that_helps(
    app: App, stack: Stack, outputs: Outputs, secrets: Secrets
):
    for name in ("JWT_SECRET", "STRIPE_KEY", "PLATFORM_REDIS_PASSWORD"):
        del secrets[name]
    with pytest.raises(BadInput, match="3 variables of web are missing or invalid") as refused:
        compose(app, stack, outputs, secrets, "web")
    assert refused.value.details == (
        "env.JWT_SECRET: the secret is missing",
        "env.REDIS_URL: needs the secret PLATFORM_REDIS_PASSWORD, which is missing",
        "env.STRIPE_KEY: the secret is missing",
    )
    assert refused.value.remedy == "slipway secrets generate --stack preview"


def test_a_database_that_the_stack_does_not_have_is_refused_with_the_reason(
    app: App, outputs: Outputs, secrets: Secrets
):
    stack = Stack(name="preview", project="board", platform="local", database="external")
    with pytest.raises(BadInput, match="a database of your own") as refused:
        compose(app, stack, outputs, secrets, "web")
    assert refused.value.message.startswith('env.DATABASE_URL: "database.url" is not available')


def test_an_unknown_scope_is_refused(app: App, stack: Stack, outputs: Outputs, secrets: Secrets):
    with pytest.raises(BadInput, match='no scope "wbe"'):
        compose(app, stack, outputs, secrets, "wbe")


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("integer", "-42", "4.2"),
        ("boolean", "true", "on"),
        ("url", "libsql://db.turso.io", "db.turso.io"),
        ("url", "file:/data/app.db", "https://"),
    ],
)
def test_values_have_the_kind_the_contract_gives_and_errors_name_only_the_variable(
    stack: Stack, outputs: Outputs, kind: str, good: str, bad: str
):
    app = app_with({"X": {"secret": True, "kind": kind}})
    assert compose(app, stack, outputs, {"X": good}, "web") == {"X": good}
    with pytest.raises(BadInput, match=r"^env\.X: must be ") as refused:
        compose(app, stack, outputs, {"X": bad}, "web")
    assert bad not in refused.value.message.replace("https://example.com", "")


def test_the_config_version_changes_with_any_value_and_only_then(
    app: App, stack: Stack, outputs: Outputs, secrets: Secrets
):
    version = config_version(app, stack, outputs, secrets)
    assert len(version) == 12
    assert int(version, 16) >= 0
    assert config_version(app, stack, outputs, dict(reversed(secrets.items()))) == version
    assert config_version(app, stack, outputs, secrets | {"UNUSED": "new"}) == version
    for name in secrets:
        changed = secrets | {name: secrets[name] + "x"}
        assert config_version(app, stack, outputs, changed) != version, name
    moved = outputs.model_copy(
        update={"redis": outputs.redis and outputs.redis.model_copy(update={"url": "redis://x"})}
    )
    assert config_version(app, stack, moved, secrets) != version


def test_the_config_version_of_one_weak_value_cannot_be_tried_out_without_the_others(
    stack: Stack, outputs: Outputs, secrets: Secrets
):
    app = app_with({"PIN": {"secret": True}, "JWT_SECRET": {"secret": True}})
    known = config_version(app, stack, outputs, {"PIN": "1234", "JWT_SECRET": secrets["JWT_SECRET"]})
    guessed = config_version(app, stack, outputs, {"PIN": "1234", "JWT_SECRET": "x"})
    assert known != guessed
