"""The platform's own secrets: passwords of the data services and keys of the S3 accounts, made once."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from slipway.secrets.store import SecretStore

DATABASE_OWNER = "PLATFORM_DATABASE_OWNER_PASSWORD"
DATABASE_APP = "PLATFORM_DATABASE_APP_PASSWORD"
REDIS = "PLATFORM_REDIS_PASSWORD"
S3_ROOT = "PLATFORM_S3_ROOT_SECRET_KEY"
BUILDS = "PLATFORM_BUILDS_SECRET_KEY"
BUILDS_READER = "PLATFORM_BUILDS_READER_SECRET_KEY"
UPLOADS = "PLATFORM_UPLOADS_SECRET_KEY"
LOAD_KEY = "SLIPWAY_LOAD_KEY"

NAMES = (DATABASE_OWNER, DATABASE_APP, REDIS, S3_ROOT, BUILDS, BUILDS_READER, UPLOADS, LOAD_KEY)

RANDOM_BYTES = 24
"""192 bits, in hex: fits URLs, configuration files and S3 clients without quoting."""


def ensure_platform_secrets(store: SecretStore, names: Sequence[str] = NAMES) -> dict[str, str]:
    """The values of `names`. Missing ones are made; one that is there is never changed."""
    held = store.read()
    made = {name: secrets.token_hex(RANDOM_BYTES) for name in names if not held.get(name)}
    if made:
        store.update(made)
    return {name: made.get(name) or held[name] for name in names}
