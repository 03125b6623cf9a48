"""GET of one object from an S3 bucket: AWS Signature Version 4 by hand, path-style, streamed.

https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import ssl
import time
from urllib.parse import quote, urlsplit

from .errors import AgentError
from .host import Builds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_EMPTY = hashlib.sha256(b"").hexdigest()
_CHUNK = 1 << 20
_TIMEOUT = 30.0
"""Seconds without a byte before a download is given up."""


def signed_headers(builds: Builds, path: str, host: str, now: float) -> dict[str, str]:
    """Headers of a GET of `path` (already percent-encoded) at `now` (epoch seconds)."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    scope = f"{stamp[:8]}/{builds.region}/s3/aws4_request"
    headers = {"host": host, "x-amz-content-sha256": _EMPTY, "x-amz-date": stamp}
    if builds.session_token:
        headers["x-amz-security-token"] = builds.session_token
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    request = f"GET\n{path}\n\n{lines}\n{names}\n{_EMPTY}"
    to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{builds.secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    credential = f"Credential={builds.access_key}/{scope}"
    headers["Authorization"] = f"AWS4-HMAC-SHA256 {credential},SignedHeaders={names},Signature={signature}"
    return headers


def get(builds: Builds, key: str, ca_file: str | None) -> Iterator[bytes]:
    """The object's bytes in chunks. `layer_missing` if there is none, `builds_unreachable` for the rest."""
    parts = urlsplit(builds.endpoint)
    path = quote(f"{parts.path.rstrip('/')}/{builds.bucket}/{key}")
    host = parts.netloc
    try:
        if parts.scheme == "https":
            context = ssl.create_default_context()
            if ca_file:
                context.load_verify_locations(ca_file)
            connection = http.client.HTTPSConnection(host, timeout=_TIMEOUT, context=context)
        else:
            connection = http.client.HTTPConnection(host, timeout=_TIMEOUT)
        connection.request("GET", path, headers=signed_headers(builds, path, host, time.time()))
        answer = connection.getresponse()
        if answer.status == 404:
            raise AgentError("layer_missing", f"{key} is not in bucket {builds.bucket}", detail={"key": key})
        if answer.status != 200:
            reason = answer.read(300).decode(errors="replace")
            raise AgentError(
                "builds_unreachable", f"GET {builds.endpoint}/{builds.bucket}/{key}: {answer.status} {reason}"
            )
        while chunk := answer.read(_CHUNK):
            yield chunk
        connection.close()
    except (OSError, http.client.HTTPException) as error:
        raise AgentError(
            "builds_unreachable", f"GET {builds.endpoint}/{builds.bucket}/{key}: {error}"
        ) from error
