"""The ambient AWS account: environment variables at once, anything else (profile, SSO, role) by botocore."""

from __future__ import annotations

import os
import threading
from typing import Any

from slipway.settings.errors import BadInput
from slipway.storage.sigv4 import Credentials


class Ambient:
    """Credentials as the AWS command line would find them, renewed by botocore before they expire."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._source: Any = None

    def __call__(self) -> Credentials:
        """The credentials of this moment; BadInput when there are none."""
        env = os.environ
        if "AWS_ACCESS_KEY_ID" in env and "AWS_SECRET_ACCESS_KEY" in env:
            token = env.get("AWS_SESSION_TOKEN")
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
        return Credentials(frozen.access_key, frozen.secret_key, frozen.token)
