"""How the operator reaches the builds bucket: its account, and the tunnel if one is needed."""

import os
import threading
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from hosts.agent.sigv4 import Credentials
from slipway.fleet.ssh import Connection
from slipway.settings import BadInput, Bucket as BucketOutput, Outputs
from slipway.storage.bucket import Bucket


def open_bucket(
    outputs: Outputs, secrets: Mapping[str, str], ambient: Callable[[], Credentials] | None = None
) -> Bucket:
    """The stack's builds bucket. `secrets` are the values of its secret store.

    `ambient` gives the credentials of a bucket that names no account; None: those of the AWS command line.
    Raises BadInput if the store lacks the account's secret key, HostDown if the tunnel's host is unreachable.
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
        _account(place, secrets, outputs.stack) or ambient or AmbientCredentials(),
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


class AmbientCredentials:
    """The credentials that the AWS command line would use.

    Environment variables are read at once; anything else (profile, SSO, role) is left to botocore, which also
    renews them before they expire.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._source: Any = None

    def __call__(self) -> Credentials:
        """The current credentials. Raises BadInput if there are none."""
        env = os.environ
        if "AWS_ACCESS_KEY_ID" in env and "AWS_SECRET_ACCESS_KEY" in env:
            token = env.get("AWS_SESSION_TOKEN", "")
            return Credentials(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], token)
        with self._lock:
            if self._source is None:
                from botocore.session import Session  # noqa: PLC0415 - 0.2 s, and only some stacks need it

                self._source = Session().get_credentials()
        if self._source is None:
            raise BadInput(
                "no AWS credentials were found",
                remedy="sign in (`aws sso login`) or set AWS_PROFILE or AWS_ACCESS_KEY_ID",
            )
        frozen = self._source.get_frozen_credentials()
        return Credentials(frozen.access_key, frozen.secret_key, frozen.token or "")
