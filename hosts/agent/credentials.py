"""Credentials for the app on AWS: those of its own role, which may use uploads and send mail, no more.

The app cannot reach the metadata service, which has the host's. AWS's SDKs find URL and token in its
environment: https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
"""

from __future__ import annotations

import json
import os
import re
import sys
import time

from . import durable
from .errors import AgentError
from .host import Host, Paths
from .json_object import JsonObject

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket

    from .preview_record import Preview

PORT = 8403
TOKEN = "AWS_CONTAINER_AUTHORIZATION_TOKEN"  # noqa: S105 - the name of a variable, not its value
_SECONDS = 3600
"""AWS's longest session of a role that another role takes."""
_EARLY = 900.0
"""Seconds before their end at which credentials are renewed: SDKs ask at least five minutes before."""
_HEAD = 16_384
"""Bytes of a request that are read."""
_TIMEOUT = 5.0


def environment(paths: Paths, host: Host, preview: Preview | None = None) -> dict[str, str]:
    """What names the place of its credentials to the app's SDK; empty if the app has no role.

    A preview has a place and a token of its own.
    """
    if not host.app_role:
        return {}
    url, token = f"http://127.0.0.1:{PORT}/", _token(paths)
    if preview:
        url, token = f"{url}{preview.name}", _token_of(token, preview)
    return {"AWS_CONTAINER_CREDENTIALS_FULL_URI": url, TOKEN: token}


def command(paths: Paths, host: Host, request: JsonObject) -> dict[str, object]:  # noqa: ARG001
    """Answer the app's requests until the service is stopped."""
    import socket

    given = Credentials(paths, host)
    with socket.create_server(("127.0.0.1", PORT), backlog=64) as server:
        while True:
            connection, _ = server.accept()
            with connection:
                connection.settimeout(_TIMEOUT)
                try:
                    _serve(connection, given)
                except OSError:
                    continue  # the client has gone


class Credentials:
    """The app's credentials on this host, kept until shortly before they end."""

    def __init__(self, paths: Paths, host: Host) -> None:
        self._paths = paths
        self._host = host
        self._kept: dict[str, tuple[float, dict[str, str]]] = {}
        """By whose they are, when they end, and what they are."""

    def answer(self, head: str) -> tuple[str, dict[str, str]]:
        """Status and JSON for a request. It needs the token: an app may be made to fetch a URL."""
        import hmac

        lines = head.split("\r\n")
        headers = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])
        }
        given = headers.get("authorization", "").encode("latin-1")
        words = lines[0].split(" ")
        path = words[1] if words[0] == "GET" and len(words) == 3 else ""
        preview = _preview(self._paths, path)
        token = _token_of(_token(self._paths), preview) if preview else _token(self._paths)
        if not self._host.app_role or not hmac.compare_digest(given, token.encode()):
            return "403 Forbidden", {"message": "wrong or missing Authorization"}
        if path != "/" and not preview:
            return "404 Not Found", {"message": "ask for /"}
        try:
            return "200 OK", self._newest(preview)
        except AgentError as error:
            print(error.message, file=sys.stderr, flush=True)
            return "503 Service Unavailable", {"message": "AWS gave the host no credentials for the app"}

    def _newest(self, preview: Preview | None) -> dict[str, str]:
        whose = f"{preview.name} {preview.nonce}" if preview else ""
        ends, kept = self._kept.get(whose, (0.0, dict[str, str]()))
        if ends - time.time() > _EARLY:
            return kept
        import calendar

        from .aws import Cloud

        role = self._host.app_role
        policy = preview_policy(role.split(":")[1], **preview.uploads) if preview else ""
        found = Cloud(self._paths, self._host.region).assume(role, self._host.name, _SECONDS, policy)
        ends = calendar.timegm(time.strptime(found["Expiration"][:19], "%Y-%m-%dT%H:%M:%S"))
        given = {
            "AccessKeyId": found["AccessKeyId"],
            "SecretAccessKey": found["SecretAccessKey"],
            "Token": found["SessionToken"],
            "Expiration": found["Expiration"],
            "RoleArn": role,
        }
        self._kept[whose] = (ends, given)
        return given


def preview_policy(partition: str, bucket: str, prefix: str) -> str:
    """What a preview may use of the app's role: its own objects, and the key that encrypts them."""
    arn = f"arn:{partition}:s3:::{bucket}"
    objects = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
    own = {"StringLike": {"s3:prefix": [f"{prefix}*"]}}
    statements = [
        {"Effect": "Allow", "Action": objects, "Resource": f"{arn}/{prefix}*"},
        {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": arn, "Condition": own},
        {"Effect": "Allow", "Action": ["kms:Decrypt", "kms:GenerateDataKey"], "Resource": "*"},
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, separators=(",", ":"))


def _preview(paths: Paths, path: str) -> Preview | None:
    """The preview that may ask for `path`; None: it names none, or one without uploads."""
    from . import preview_record

    name = path[1:]
    if not re.fullmatch(preview_record.NAME, name) or preview_record.TAKEN.fullmatch(name):
        return None
    found = preview_record.load(preview_record.PreviewPaths(paths.root), name)
    return found if found and found.uploads else None


def _token_of(token: str, preview: Preview) -> str:
    """The token of one life of a preview: it is good for no other, nor for the host's own app."""
    import hashlib
    import hmac

    return hmac.new(token.encode(), f"{preview.name} {preview.nonce}".encode(), hashlib.sha256).hexdigest()


def _serve(connection: socket.socket, given: Credentials) -> None:
    head = b""
    while b"\r\n\r\n" not in head and len(head) < _HEAD:
        part = connection.recv(4096)
        if not part:
            return
        head += part
    status, body = given.answer(head.decode("latin-1").partition("\r\n\r\n")[0])
    content = json.dumps(body).encode()
    lines = (f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {len(content)}")
    connection.sendall("\r\n".join((*lines, "Connection: close", "", "")).encode() + content)


def _token(paths: Paths) -> str:
    """The host's own, made once: by a link, because two agents may need it at the same moment."""
    kept = durable.read(paths.app_token)
    if not kept:
        os.makedirs(paths.lib, mode=0o700, exist_ok=True)
        new = f"{paths.app_token}.{os.getpid()}-{time.monotonic_ns()}"
        durable.write(new, os.urandom(32).hex().encode(), 0o600)
        try:
            os.link(new, paths.app_token)
        except FileExistsError:
            pass
        finally:
            durable.unlink(new)
        kept = durable.read(paths.app_token) or b""
    return kept.decode()
