"""The authorities that certify a stack's data services: what hosts have as `/etc/slipway/ca.pem`.

RDS has authorities of its own, whose certificates are fetched from AWS once; RDS Proxy and ElastiCache are
certified by Amazon's public ones. Both are kept in one file beside the kits.
"""

from __future__ import annotations

import ssl
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from slipway.platforms.fleet_setup.private_file import keep_private
from slipway.settings.aws_names import SETUP_KITS
from slipway.settings.errors import BadInput, SlipwayError
from slipway.storage.bucket import Bucket

URL = "https://truststore.pki.rds.amazonaws.com/{region}/{region}-bundle.pem"
"""docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL.html"""
PUBLIC = (
    *(f"Amazon Root CA {number}" for number in (1, 2, 3, 4)),
    "Starfield Services Root Certificate Authority - G2",
)
"""Names of Amazon's public authorities: www.amazontrust.com/repository"""
KEY = f"{SETUP_KITS}/ca.pem"
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
        content = content.rstrip() + b"\n" + public_authorities()
        bucket.put_bytes(KEY, content)
    return _laid(state_dir, content)


def public_authorities() -> bytes:
    """Amazon's own among the public authorities that botocore comes with, as PEM."""
    import botocore  # noqa: PLC0415 - `up` alone needs these

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(Path(botocore.__file__).parent / "cacert.pem")
    both = zip(context.get_ca_certs(), context.get_ca_certs(binary_form=True), strict=True)
    return "".join(ssl.DER_cert_to_PEM_cert(der) for facts, der in both if _name(facts) in PUBLIC).encode()


def _name(facts: Mapping[str, Any]) -> str:
    pairs = [pair for part in facts["subject"] for pair in part]
    return next((str(value) for key, value in pairs if key == "commonName"), "")


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
            remedy="it is fetched once for a stack: run `slipway up` where this address can be reached",
        ) from None
