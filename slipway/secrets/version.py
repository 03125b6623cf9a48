"""The config version of a release: changes when any value changes, and tells nothing about any."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping

from slipway.secrets.compose import compose
from slipway.settings.app import App
from slipway.settings.env_scope import known_scopes
from slipway.settings.outputs import Outputs
from slipway.settings.stack import Stack


def config_version(app: App, stack: Stack, outputs: Outputs, secrets: Mapping[str, str]) -> str:
    """12 hex digits over the env of every scope. Raises BadInput as `compose` does.

    It stands in the ledger for all to read, so it is an HMAC whose key is made of all the secrets together:
    guessing one value from it would need all the others.
    """
    content = {scope: compose(app, stack, outputs, secrets, scope) for scope in known_scopes(app)}
    used = [value for env in content.values() for name, value in env.items() if _is_secret(app, name)]
    key = hashlib.sha256(json.dumps(sorted(used)).encode()).digest()
    return hmac.new(key, json.dumps(content, sort_keys=True).encode(), hashlib.sha256).hexdigest()[:12]


def _is_secret(app: App, name: str) -> bool:
    return app.env[name].secret or app.env[name].source is not None
