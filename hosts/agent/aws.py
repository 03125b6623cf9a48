"""What a host asks of AWS, and the download of layers from any S3 builds bucket. Signed by sigv4.py."""

from __future__ import annotations

import calendar
import http.client
import json
import ssl
import time
from urllib.parse import SplitResult, quote, urlsplit

from . import durable
from .errors import AgentError
from .host import Builds, Paths, endpoints
from .imds import ENDPOINT, Imds
from .json_object import JsonObject
from .sigv4 import Signed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_TIMEOUT = 10.0
_DOWNLOAD_TIMEOUT = 30.0
"""Seconds without a byte before a download is aborted."""
_CHUNK = 1 << 20
_SERVICES = {
    "autoscaling": "https://autoscaling.{region}.amazonaws.com",
    "logs": "https://logs.{region}.amazonaws.com",
    "monitoring": "https://monitoring.{region}.amazonaws.com",
    "s3": "https://s3.{region}.amazonaws.com",
    "sts": "https://sts.{region}.amazonaws.com",
    "secretsmanager": "https://secretsmanager.{region}.amazonaws.com",
}
_TRIES = 3


class Answer:
    """Status, body and date (of the server's clock) of one call."""

    def __init__(self, status: int, body: bytes, date: str = "") -> None:
        self.status = status
        self.body = body
        self.date = date

    @property
    def reason(self) -> str:
        """Status and the beginning of the body."""
        return f"{self.status} {self.body[:300].decode(errors='replace')}"


class Cloud:
    """AWS, called as the host's instance role. `endpoints.json` overrides endpoints, as tests do."""

    def __init__(self, paths: Paths, region: str) -> None:
        self.region = region
        given = endpoints(paths)
        self.imds = Imds(given.get("imds", ENDPOINT))
        self._endpoints = {
            name: given.get(name, url.format(region=region)) for name, url in _SERVICES.items()
        }
        self._ca = paths.ca

    def user_id(self) -> str:
        """`aws:userid` of this host: `<unique id of the role>:<instance id>`."""
        headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
        answer = self.call("sts", "POST", "/", b"Action=GetCallerIdentity&Version=2011-06-15", headers)
        _refuse(answer, "GetCallerIdentity")
        # AWS answers in JSON because of `accept`; some test servers always answer in XML.
        text = answer.body.decode()
        mark, end = ('"UserId":"', '"') if text.lstrip().startswith("{") else ("<UserId>", "</UserId>")
        found = text.replace('": "', '":"').partition(mark)[2].partition(end)[0]
        if not found:
            raise AgentError("cloud", "GetCallerIdentity names no UserId")
        return found

    def assume(self, role: str, session: str, seconds: int, policy: str = "") -> dict[str, str]:
        """Credentials of `role`: AccessKeyId, SecretAccessKey, SessionToken, Expiration (ISO 8601).

        With `policy`, an IAM policy as JSON, they are good for what both it and the role allow.
        """
        from xml.etree import ElementTree

        form = {"Action": "AssumeRole", "Version": "2011-06-15", "RoleArn": role, "RoleSessionName": session}
        if policy:
            form["Policy"] = policy
        body = "&".join(f"{key}={quote(value, safe='')}" for key, value in form.items())
        headers = {"content-type": "application/x-www-form-urlencoded"}
        answer = self.call("sts", "POST", "/", f"{body}&DurationSeconds={seconds}".encode(), headers)
        _refuse(answer, f"AssumeRole of {role}")
        wanted = ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration")
        tree = ElementTree.fromstring(answer.body)  # noqa: S314 - AWS's own answer
        found = {each.tag.rpartition("}")[2]: each.text or "" for each in tree.iter()}
        return {name: found[name] for name in wanted}

    def secret(self, arn: str) -> str | None:
        """The newest value of a secret; None if it has none yet."""
        headers = {
            "content-type": "application/x-amz-json-1.1",
            "x-amz-target": "secretsmanager.GetSecretValue",
        }
        answer = self.call("secretsmanager", "POST", "/", json.dumps({"SecretId": arn}).encode(), headers)
        if answer.status in (400, 404) and b"ResourceNotFoundException" in answer.body:
            return None
        _refuse(answer, f"GetSecretValue of {arn}")
        return JsonObject.parse(answer.body, "GetSecretValue").text("SecretString", "")

    def put_object(self, bucket: str, key: str, content: bytes) -> None:
        path = quote(f"/{bucket}/{key}")
        _refuse(self.call("s3", "PUT", path, content, {"content-type": "text/plain"}), f"PUT of {key}")

    def delete_object(self, bucket: str, key: str) -> None:
        answer = self.call("s3", "DELETE", quote(f"/{bucket}/{key}"), b"", {})
        if answer.status not in (200, 204):
            _refuse(answer, f"DELETE of {key}")

    def object(self, bucket: str, key: str) -> bytes | None:
        """An object; None if there is none."""
        answer = self.call("s3", "GET", quote(f"/{bucket}/{key}"), b"", {})
        if answer.status == 404:
            return None
        _refuse(answer, f"GET of {key}")
        return answer.body

    def objects(self, bucket: str, prefix: str) -> tuple[dict[str, float], float]:
        """Key → date of the last write, and the time now; in seconds since 1970 by the bucket's clock."""
        from email.utils import parsedate_to_datetime
        from xml.etree import ElementTree

        found: dict[str, float] = {}
        more = ""
        while True:
            page = f"continuation-token={quote(more, safe='')}&" if more else ""
            path = f"{quote(f'/{bucket}')}?{page}list-type=2&prefix={quote(prefix, safe='')}"
            answer = self.call("s3", "GET", path, b"", {})
            _refuse(answer, f"list of {prefix}")
            tree = ElementTree.fromstring(answer.body)  # noqa: S314 - S3's own answer
            for entry in tree.iter():
                if entry.tag.endswith("}Contents"):
                    fields = {each.tag.rpartition("}")[2]: each.text or "" for each in entry}
                    date = fields["LastModified"][:19]
                    found[fields["Key"]] = calendar.timegm(time.strptime(date, "%Y-%m-%dT%H:%M:%S"))
            more = next((each.text or "" for each in tree if each.tag.endswith("}NextContinuationToken")), "")
            if not more:
                return found, parsedate_to_datetime(answer.date).timestamp()

    def call(self, service: str, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        """One signed call; a temporary failure is retried. Raises `cloud` if there is no answer at all."""
        endpoint = urlsplit(self._endpoints[service])
        request = Signed(service, self.region, method, endpoint.path.rstrip("/") + path, body, headers)
        for attempt in range(_TRIES):
            try:
                answer = self._send(endpoint, request)
            except (OSError, http.client.HTTPException) as error:
                if attempt == _TRIES - 1:
                    raise AgentError("cloud", f"{service} at {endpoint.netloc}: {error}") from error
            else:
                if answer.status < 500 or attempt == _TRIES - 1:
                    return answer
            time.sleep(0.3 * 4**attempt)
        raise AssertionError

    def _send(self, endpoint: SplitResult, request: Signed) -> Answer:
        headers = request.sign(self.imds.credentials(), endpoint.netloc)
        connection = _connect(endpoint, self._ca, _TIMEOUT)
        try:
            connection.request(request.method, request.path, request.body, headers)
            answer = connection.getresponse()
            return Answer(answer.status, answer.read(), answer.headers.get("Date") or "")
        finally:
            connection.close()


def _connect(endpoint: SplitResult, ca_file: str, timeout: float) -> http.client.HTTPConnection:
    """A connection that also trusts `ca_file`, if there is such a file."""
    if endpoint.scheme != "https":
        return http.client.HTTPConnection(endpoint.netloc, timeout=timeout)
    context = ssl.create_default_context()
    if durable.read(ca_file):
        context.load_verify_locations(ca_file)
    return http.client.HTTPSConnection(endpoint.netloc, timeout=timeout, context=context)


def _refuse(answer: Answer, what: str) -> None:
    if answer.status != 200:
        raise AgentError("cloud", f"{what}: {answer.reason}")


def download(builds: Builds, key: str, ca_file: str) -> Iterator[bytes]:
    """An object of the builds bucket in chunks.

    Raises `layer_missing` if there is none, `builds_unreachable` for any other failure.
    """
    endpoint = urlsplit(builds.endpoint)
    path = quote(f"{endpoint.path.rstrip('/')}/{builds.bucket}/{key}")
    try:
        connection = _connect(endpoint, ca_file, _DOWNLOAD_TIMEOUT)
        request = Signed("s3", builds.region, "GET", path)
        connection.request("GET", path, headers=request.sign(builds.credentials(), endpoint.netloc))
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
