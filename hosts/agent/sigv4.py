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
        names = ";".join(sorted(signed))
        lines = "".join(f"{name}:{signed[name]}\n" for name in sorted(signed))
        path, _, query = self.path.partition("?")
        request = f"{self.method}\n{path}\n{query}\n{lines}\n{names}\n{payload}"
        to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        key = f"AWS4{who.secret_key}".encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
        said = f"Credential={who.access_key}/{scope},SignedHeaders={names},Signature={signature}"
        return {**signed, "Authorization": f"AWS4-HMAC-SHA256 {said}"}
