"""A small app with one entry of each kind, its stack, what the platform gives, and fitting secrets."""

from __future__ import annotations

from typing import Any

import pytest

from slipway.settings import App, Bucket, Outputs, Redis, SecretStore, Stack
from slipway.settings.outputs import Database

ENV: dict[str, Any] = {
    "NODE_ENV": {"value": "production"},
    "DATABASE_URL": {"from": "database.url", "kind": "url", "scope": ["web", "jobs"]},
    "OWNER_URL": {"from": "database.migrate_url", "scope": ["migrate"]},
    "REDIS_URL": {"from": "redis.url"},
    "S3_KEY": {"from": "uploads.secret_key", "scope": ["web"]},
    "JWT_SECRET": {"secret": True, "generate": "base64:32", "min_length": 32},
    "STRIPE_KEY": {"secret": True, "stack_pattern": {"prod": "sk_live_.+", "*": "sk_test_.+"}},
    "SENTRY_DSN": {"secret": True, "optional": True, "kind": "url"},
    "SMOKE_PASSWORD": {"secret": True, "generate": "hex:16", "scope": ["smoke"]},
}


def app_with(env: dict[str, Any]) -> App:
    return App.model_validate(
        {
            "name": "board",
            "runtime": {"name": "bun", "version": "1.4.5"},
            "processes": {"web": {"command": "a"}, "jobs": {"command": "b"}},
            "env": env,
        }
    )


@pytest.fixture
def app() -> App:
    return app_with(ENV)


@pytest.fixture
def stack() -> Stack:
    return Stack(name="preview", project="board", platform="local")


@pytest.fixture
def outputs() -> Outputs:
    return Outputs(
        stack="preview",
        platform="local",
        url="https://localhost:8443",
        builds=Bucket(bucket="board-preview-builds"),
        uploads=Bucket(bucket="board-preview-uploads", secret_key_secret="PLATFORM_UPLOADS_SECRET_KEY"),
        database=Database(
            url="postgres://board_app:${secret:PLATFORM_DATABASE_APP_PASSWORD}@10.0.0.4:6432/board",
            migrate_url="postgres://board_owner:${secret:PLATFORM_DATABASE_OWNER_PASSWORD}@10.0.0.4/board",
        ),
        redis=Redis(
            url="redis://:${secret:PLATFORM_REDIS_PASSWORD}@10.0.0.4:6379", namespace="board-preview"
        ),
        secrets=SecretStore(kind="age", location="secrets/preview.age"),
    )


@pytest.fixture
def secrets() -> dict[str, str]:
    return {
        "JWT_SECRET": "vQzjdh7sL85ukZhx+7yTjVb1fitl6nMbB9biq/rsVSg=",
        "STRIPE_KEY": "sk_test_51H8mQ2KzLw9XcVbNaTyUeRp",
        "SMOKE_PASSWORD": "d0c6f1a97b3e4852ac19f07e6b2d8354",
        "PLATFORM_DATABASE_APP_PASSWORD": "p@ss/w:rd?#%q7Zk",
        "PLATFORM_DATABASE_OWNER_PASSWORD": "Gm4Wn8Xq2Lc7Rt5V",
        "PLATFORM_REDIS_PASSWORD": "hN3bY6kD9sF2aJ8e",
        "PLATFORM_UPLOADS_SECRET_KEY": "uT1oP4wE7zC0xM5i",
    }
