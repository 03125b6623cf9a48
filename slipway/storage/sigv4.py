"""AWS Signature Version 4 for S3, as its specification says (docs.aws.amazon.com, "Signature calculations").

Written out because importing botocore takes longer than a whole rollback may; a test holds it to botocore's
own signatures.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from hosts.agent.sigv4 import authorization

EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True)
class Credentials:
    """An S3 account. The secret parts are kept out of `repr`."""

    access_key: str
    secret_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


def encode_path(path: str) -> str:
    """The path as S3 wants it on the wire and in the signature: encoded once, slashes kept."""
    return quote(path, safe="/-_.~")


def encode_query(query: Mapping[str, str]) -> str:
    """The query string, sorted and encoded as the signature demands."""
    pairs = sorted((quote(key, safe="-_.~"), quote(value, safe="-_.~")) for key, value in query.items())
    return "&".join(f"{key}={value}" for key, value in pairs)


@dataclass(frozen=True)
class Request:
    """What is signed. `path` and `query` are already encoded; `payload_sha256` is hex."""

    method: str
    host: str
    path: str
    query: str
    headers: Mapping[str, str]
    payload_sha256: str


def sign(credentials: Credentials, region: str, request: Request, now: float) -> dict[str, str]:
    """The headers to send: the request's own with the date, the payload's digest and the signature added.

    `now` is seconds since 1970. Signed are the host and every `x-amz-` header.
    """
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    sent = {**request.headers, "x-amz-date": stamp, "x-amz-content-sha256": request.payload_sha256}
    if credentials.session_token:
        sent["x-amz-security-token"] = credentials.session_token
    amz = {name.lower(): value.strip() for name, value in sent.items() if name.lower().startswith("x-amz-")}
    sent["Authorization"] = authorization(
        credentials.access_key, credentials.secret_key, f"{stamp[:8]}/{region}/s3/aws4_request",
        (request.method, request.path, request.query), {"host": request.host, **amz}, request.payload_sha256,
    )  # fmt: skip
    return sent
