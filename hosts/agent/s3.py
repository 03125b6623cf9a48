"""GET of one object from an S3 bucket: signed, path-style, streamed."""

from __future__ import annotations

import http.client
import ssl
import time
from urllib.parse import quote, urlsplit

from .errors import AgentError
from .host import Builds
from .sigv4 import Signed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_CHUNK = 1 << 20
_TIMEOUT = 30.0
"""Seconds without a byte before a download is given up."""


def signed_headers(builds: Builds, path: str, host: str, now: float) -> dict[str, str]:
    """Headers of a GET of `path` (already percent-encoded) at `now` (epoch seconds)."""
    return Signed("s3", builds.region, "GET", path).sign(builds.credentials(), host, now)


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
