"""Uploads on R2: the secret key that belongs to the stack's token, made without Pulumi's state ever using it.

Pulumi makes the token and so is told its first value. That value is rolled away here before anyone uses it:
Cloudflare answers with a new one, of which the SHA-256 is the secret key, and the first one is void.
https://developers.cloudflare.com/r2/api/tokens/
"""

from __future__ import annotations

import hashlib
import http.client
import json
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlsplit

from slipway.secrets.store import SecretStore
from slipway.settings.errors import BadInput, SlipwayError

API = "https://api.cloudflare.com/client/v4"
API_TOKEN = "CLOUDFLARE_API_TOKEN"  # noqa: S105 - the name of a variable, not its value
"""Environment variable; also what Pulumi asks Cloudflare with. It must be allowed to edit account tokens."""
SECRET_KEY = "PLATFORM_UPLOADS_SECRET_KEY"  # noqa: S105 - the name of an entry, not its value
TOKEN_ID = "PLATFORM_UPLOADS_ACCESS_KEY"  # noqa: S105 - the name of an entry, not its value
"""Entry with the id of the token whose key is held: another token has another key."""
_TIMEOUT = 20.0


def ensure_uploads_key(
    store: SecretStore, account: str, token: str, environment: Mapping[str, str], api: str = API
) -> bool:
    """Put the secret key of `token` (its id, the access key) into `store`; False if it is there already.

    Raises BadInput without CLOUDFLARE_API_TOKEN, or if Cloudflare does not let it roll the token's value.
    """
    held = store.read()
    if held.get(TOKEN_ID) == token and held.get(SECRET_KEY):
        return False
    api_token = environment.get(API_TOKEN, "")
    if not api_token:
        raise BadInput(
            f"uploads are on R2, and {API_TOKEN} is not set",
            remedy=f"export {API_TOKEN}: a token that may edit the account's API tokens",
        )
    value = _roll(api, account, token, api_token)
    # Both in one write: a key without its token's name would be made again, and running hosts cut off.
    store.update({SECRET_KEY: secret_key(value), TOKEN_ID: token})
    return True


def secret_key(value: str) -> str:
    """What S3 clients sign with, of a token's value."""
    return hashlib.sha256(value.encode()).hexdigest()


def _roll(api: str, account: str, token: str, api_token: str) -> str:
    place = urlsplit(api)
    kind = http.client.HTTPSConnection if place.scheme == "https" else http.client.HTTPConnection
    connection = kind(place.netloc, timeout=_TIMEOUT)
    headers = {"authorization": f"Bearer {api_token}", "content-type": "application/json"}
    try:
        connection.request("PUT", f"{place.path}/accounts/{account}/tokens/{token}/value", "{}", headers)
        answer = connection.getresponse()
        text = answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise SlipwayError(
            f"Cloudflare does not answer: {error}", remedy="slipway up again, when it does"
        ) from error
    finally:
        connection.close()
    if answer.status in (401, 403):
        raise BadInput(
            f"Cloudflare refuses to roll the uploads token: {answer.status}",
            remedy=f"let {API_TOKEN} edit the account's API tokens (Account API Tokens: Edit)",
        )
    value = _value(text) if answer.status == http.client.OK else ""
    if not value:
        raise SlipwayError(f"Cloudflare answered {answer.status} to rolling the uploads token {token}")
    return value


def _value(text: bytes) -> str:
    try:
        said = json.loads(text)
    except ValueError:
        return ""
    result = cast("dict[str, Any]", said).get("result") if isinstance(said, dict) else None
    return result if isinstance(result, str) else ""
