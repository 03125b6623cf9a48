"""The builds bucket as the operator reaches it: directly, or through a host's ssh connection."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from slipway.fleet.ssh import Connection
from slipway.settings.errors import BadInput
from slipway.settings.outputs import Bucket as BucketOutput
from slipway.settings.outputs import Outputs
from slipway.storage.bucket import Bucket
from slipway.storage.credentials import Ambient
from slipway.storage.sigv4 import Credentials


def open_bucket(
    outputs: Outputs, secrets: Mapping[str, str], ambient: Callable[[], Credentials] | None = None
) -> Bucket:
    """The stack's builds bucket. `secrets` are the values of its secret store.

    `ambient` gives the credentials of a bucket that names no account; None: as the AWS command line would.

    BadInput: the account's secret key is not in the store. HostDown: the tunnel's host cannot be reached.
    """
    place = outputs.builds
    connect: tuple[str, int] | None = None
    if place.tunnel and place.endpoint:
        url = urlsplit(place.endpoint)
        port = url.port or (443 if url.scheme == "https" else 80)
        connection = Connection(place.tunnel, outputs.ssh_config_path)
        connect = ("127.0.0.1", connection.tunnel(url.hostname or "", port))
    return Bucket(
        place.bucket,
        _account(place, secrets, outputs.stack) or ambient or Ambient(),
        region=place.region,
        endpoint=place.endpoint,
        connect=connect,
        ca_file=place.ca_file or outputs.ca_file or None,
    )


def _account(place: BucketOutput, secrets: Mapping[str, str], stack: str) -> Credentials | None:
    if place.access_key is None or place.secret_key_secret is None:
        return None
    key = secrets.get(place.secret_key_secret)
    if not key:
        raise BadInput(
            f"stack {stack}'s secret store has no {place.secret_key_secret}, the key of its builds bucket",
            remedy=f"`slipway up --stack {stack}` makes it",
        )
    return Credentials(place.access_key, key)
