"""AWS Signature Version 4: the only signer, used by hosts and by slipway. A test compares it with botocore's.

Imports nothing of the agent's, because it is also part of a host's user data.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
import time


class Credentials:
    """An account. `expires` is in seconds since 1970; 0: never. `repr` shows none of it."""

    def __init__(self, access_key: str, secret_key: str, token: str = "", expires: float = 0) -> None:
        self.access_key = access_key
        self.secret_key = secret_key
        self.token = token
        self.expires = expires


class Signed:
    """A request to one service in one region, before it is signed.

    `path` is percent-encoded; if it has a query, that is encoded and sorted. `payload` is the body's SHA-256
    in hex; computed if not given.
    """

    def __init__(
        self, service: str, region: str, method: str, path: str, body: bytes = b"",
        headers: dict[str, str] | None = None, payload: str = "",
    ) -> None:  # fmt: skip
        self.service = service
        self.region = region
        self.method = method
        self.path = path
        self.body = body
        self.headers = headers or {}
        self.payload = payload or hashlib.sha256(body).hexdigest()

    def sign(self, who: Credentials, host: str, now: float | None = None) -> dict[str, str]:
        """All headers of the request, `Authorization` among them. `now` is in seconds since 1970."""
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() if now is None else now))
        scope = f"{stamp[:8]}/{self.region}/{self.service}/aws4_request"
        signed = {**{name.lower(): value for name, value in self.headers.items()}, "host": host}
        signed |= {"x-amz-content-sha256": self.payload, "x-amz-date": stamp}
        if who.token:
            signed["x-amz-security-token"] = who.token
        path, _, query = self.path.partition("?")
        names = ";".join(sorted(signed))
        lines = "".join(f"{name}:{signed[name]}\n" for name in sorted(signed))
        canonical = "\n".join((self.method, path, query, lines, names, self.payload))
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        key = f"AWS4{who.secret_key}".encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}"
        signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
        account = f"Credential={who.access_key}/{scope}"
        signed["Authorization"] = f"AWS4-HMAC-SHA256 {account}, SignedHeaders={names}, Signature={signature}"
        return signed
