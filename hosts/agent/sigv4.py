"""AWS Signature Version 4, by hand. Imports nothing of the agent's: it also travels in a host's user data.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
import time


class Credentials:
    """Who signs. `expires` is in epoch seconds; 0 never ends."""

    def __init__(self, access_key: str, secret_key: str, token: str = "", expires: float = 0) -> None:
        self.access_key = access_key
        self.secret_key = secret_key
        self.token = token
        self.expires = expires


class Signed:
    """A request before it is signed: to which service and region, as whom.

    `path` is percent-encoded; if it has a query, that is encoded and sorted.
    """

    def __init__(
        self, service: str, region: str, method: str, path: str, body: bytes = b"",
        headers: dict[str, str] | None = None,
    ) -> None:  # fmt: skip
        self.service = service
        self.region = region
        self.method = method
        self.path = path
        self.body = body
        self.headers = headers or {}

    def sign(self, who: Credentials, host: str, now: float | None = None) -> dict[str, str]:
        """All headers of the request, `Authorization` among them."""
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() if now is None else now))
        scope = f"{stamp[:8]}/{self.region}/{self.service}/aws4_request"
        payload = hashlib.sha256(self.body).hexdigest()
        signed = {**{name.lower(): value for name, value in self.headers.items()}, "host": host}
        signed |= {"x-amz-content-sha256": payload, "x-amz-date": stamp}
        if who.token:
            signed["x-amz-security-token"] = who.token
        path, _, query = self.path.partition("?")
        said = authorization(
            who.access_key, who.secret_key, scope, (self.method, path, query), signed, payload
        )
        return {**signed, "Authorization": said}


def authorization(
    access_key: str,
    secret_key: str,
    scope: str,
    request: tuple[str, str, str],
    signed: dict[str, str],
    payload: str,
) -> str:
    """The header's value.

    `scope`: day/region/service/aws4_request. `request`: method, path and query, both encoded. `signed`: the
    headers that count, named in lower case, `x-amz-date` among them. `payload`: the body's SHA-256 in hex.
    """
    names = ";".join(sorted(signed))
    lines = "".join(f"{name}:{signed[name]}\n" for name in sorted(signed))
    canonical = "\n".join((*request, lines, names, payload))
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = f"AWS4-HMAC-SHA256\n{signed['x-amz-date']}\n{scope}\n{digest}"
    key = f"AWS4{secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    return f"AWS4-HMAC-SHA256 Credential={access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
