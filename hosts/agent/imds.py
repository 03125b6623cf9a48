"""The instance metadata service, version 2 only: who this host is, and its role's credentials.

Imports nothing of the agent's but `sigv4`, because it is also part of a host's user data.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html
"""

from __future__ import annotations

import calendar
import http.client
import json
import time
from urllib.parse import urlsplit

from .sigv4 import Credentials

ENDPOINT = "http://169.254.169.254"
_TOKEN_SECONDS = 300
_TIMEOUT = 5.0
_EARLY = 300.0
"""Seconds before their end at which credentials are renewed; the service has new ones by then."""


class Imds:
    """One host's metadata. Failures are OSError."""

    def __init__(self, endpoint: str = ENDPOINT) -> None:
        self.endpoint = endpoint.rstrip("/")
        self._token = ""
        self._token_until = 0.0
        self._credentials: Credentials | None = None

    def get(self, path: str) -> str:
        """The text at `/latest/<path>`. Raises FileNotFoundError if there is none."""
        if time.monotonic() >= self._token_until:
            life = {"X-aws-ec2-metadata-token-ttl-seconds": str(_TOKEN_SECONDS)}
            self._token = self._ask("PUT", "api/token", life)
            self._token_until = time.monotonic() + _TOKEN_SECONDS / 2
        return self._ask("GET", path, {"X-aws-ec2-metadata-token": self._token})

    def credentials(self) -> Credentials:
        """The credentials of the instance's role, valid for at least the next minutes."""
        kept = self._credentials
        if kept is None or kept.expires - time.time() < _EARLY:
            folder = "meta-data/iam/security-credentials/"
            role = self.get(folder).split()[0]
            found = json.loads(self.get(folder + role))
            ends = calendar.timegm(time.strptime(found["Expiration"], "%Y-%m-%dT%H:%M:%SZ"))
            kept = Credentials(found["AccessKeyId"], found["SecretAccessKey"], found["Token"], ends)
            self._credentials = kept
        return kept

    def _ask(self, method: str, path: str, headers: dict[str, str]) -> str:
        parts = urlsplit(self.endpoint)
        connection = http.client.HTTPConnection(parts.netloc, timeout=_TIMEOUT)
        try:
            connection.request(method, f"{parts.path}/latest/{path}", headers=headers)
            answer = connection.getresponse()
            text = answer.read().decode()
        except http.client.HTTPException as error:
            raise OSError(f"{method} {self.endpoint}/latest/{path}: {error!r}") from error
        finally:
            connection.close()
        if answer.status == 404:
            raise FileNotFoundError(f"{self.endpoint}/latest/{path}: not found")
        if answer.status != 200:
            raise OSError(f"{method} {self.endpoint}/latest/{path}: status {answer.status}")
        return text
