"""A presigned URL signed again for another time, by the account that signed it (AWS Signature Version 4)."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Mapping
from urllib.parse import SplitResult, parse_qsl, quote, urlsplit

from checks.kit.site import Site
from slipway.stack import BucketError


def signed_again(method: str, url: str, headers: Mapping[str, str], secret_key: str, at: float) -> str:
    """`url` as if it had been presigned `at` (seconds since 1970); `headers`: what its signature covers."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    access, _, region, service, end = query["X-Amz-Credential"].split("/")
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(at))
    day = stamp[:8]
    scope = f"{day}/{region}/{service}/{end}"
    query |= {"X-Amz-Date": stamp, "X-Amz-Credential": f"{access}/{scope}"}
    query.pop("X-Amz-Signature")
    request = _canonical(method, parts, query, {**headers, "host": parts.netloc})
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{secret_key}".encode()
    for part in (day, region, service, end):
        key = _hmac(key, part)
    return parts._replace(query=f"{_coded(query)}&X-Amz-Signature={_hmac(key, text).hex()}").geturl()


def delete_upload(site: Site, key: str) -> None:
    """Delete an object of the uploads bucket, if this machine has the account for it."""
    uploads = site.live.outputs.uploads
    bucket = site.live.open_bucket(uploads, uploads) if uploads else None
    try:
        if bucket is not None:
            bucket.delete(key)
    except BucketError:
        return  # it is a few bytes, in a private bucket


def account_of(url: str) -> str:
    """The access key that signed `url`; empty: it is no presigned URL of Signature Version 4."""
    return dict(parse_qsl(urlsplit(url).query)).get("X-Amz-Credential", "").partition("/")[0]


def _canonical(method: str, parts: SplitResult, query: Mapping[str, str], headers: Mapping[str, str]) -> str:
    names = query["X-Amz-SignedHeaders"].split(";")
    given = {name.lower(): value for name, value in headers.items()}
    lines = "".join(f"{name}:{given.get(name, '').strip()}\n" for name in names)
    payload = query.get("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
    return "\n".join([method, parts.path, _coded(query), lines, ";".join(names), payload])


def _coded(query: Mapping[str, str]) -> str:
    return "&".join(f"{quote(name, safe='-_.~')}={quote(query[name], safe='-_.~')}" for name in sorted(query))


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()
