"""The certificates of RDS' authorities, which hosts trust: fetched from AWS once, kept beside the kits."""

from __future__ import annotations

import ssl
import urllib.request
from collections.abc import Callable
from pathlib import Path

from slipway.errors import BadInput, SlipwayError
from slipway.fleet_setup.private_file import keep_private
from slipway.ledger.bucket import Bucket
from slipway.settings.aws_names import SETUP_KITS

URL = "https://truststore.pki.rds.amazonaws.com/{region}/{region}-bundle.pem"
"""docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL.html"""
KEY = f"{SETUP_KITS}/rds-ca.pem"
FETCH_SECONDS = 20


def ca_bundle(bucket: Bucket, state_dir: Path, stack: str) -> Path:
    """The bundle as a file here. The one in the bucket counts, so that all operators have the same."""
    content = bucket.get_bytes(KEY)
    if content is None:
        raise BadInput(f"the builds bucket has no {KEY}", remedy=f"slipway up --stack {stack}")
    return _laid(state_dir, content)


def ensure_ca_bundle(
    bucket: Bucket, region: str, state_dir: Path, fetch: Callable[[str], bytes] | None = None
) -> Path:
    """The same, after it was fetched from AWS if the bucket has none."""
    content = bucket.get_bytes(KEY)
    if content is None:
        url = URL.format(region=region)
        content = (fetch or _fetch)(url)
        try:
            ssl.create_default_context(cadata=content.decode("ascii"))
        except (ssl.SSLError, ValueError):
            raise SlipwayError(f"{url} holds no certificates", remedy="is a proxy in between?") from None
        bucket.put_bytes(KEY, content)
    return _laid(state_dir, content)


def _laid(state_dir: Path, content: bytes) -> Path:
    path = state_dir / "tls" / "ca.pem"
    keep_private(path, content)
    return path


def _fetch(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=FETCH_SECONDS) as answer:  # noqa: S310 - https, and our own
            return answer.read()
    except OSError as error:
        raise SlipwayError(
            f"{url} cannot be fetched: {error}",
            remedy=f"fetch it on another machine, and put it into the builds bucket as {KEY}",
        ) from None
