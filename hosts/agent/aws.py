"""The few calls that a host on AWS makes as itself: who am I, what shall I serve, this is my ssh key."""

from __future__ import annotations

import calendar
import http.client
import json
import ssl
import time
from urllib.parse import quote, urlsplit

from . import durable
from .errors import AgentError
from .fields import Fields
from .imds import ENDPOINT, Imds
from .paths import Paths
from .sigv4 import Signed

_TIMEOUT = 10.0
_SERVICES = {
    "autoscaling": "https://autoscaling.{region}.amazonaws.com",
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
        """AWS's own words, short."""
        return f"{self.status} {self.body[:300].decode(errors='replace')}"


class Cloud:
    """AWS as the host's instance role reaches it. `endpoints.json` moves a service elsewhere, as tests do."""

    def __init__(self, paths: Paths, region: str) -> None:
        self.region = region
        given = Fields.parse(durable.read(paths.endpoints) or b"", "endpoints.json").strings("endpoints")
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
        # JSON for `accept`, as AWS answers; XML from servers that know no other.
        text = answer.body.decode()
        mark, end = ('"UserId":"', '"') if text.lstrip().startswith("{") else ("<UserId>", "</UserId>")
        found = text.replace('": "', '":"').partition(mark)[2].partition(end)[0]
        if not found:
            raise AgentError("cloud", "GetCallerIdentity names no UserId")
        return found

    def secret(self, arn: str) -> str | None:
        """The newest value of a secret; None if it never had one."""
        headers = {
            "content-type": "application/x-amz-json-1.1",
            "x-amz-target": "secretsmanager.GetSecretValue",
        }
        answer = self.call("secretsmanager", "POST", "/", json.dumps({"SecretId": arn}).encode(), headers)
        if answer.status in (400, 404) and b"ResourceNotFoundException" in answer.body:
            return None
        _refuse(answer, f"GetSecretValue of {arn}")
        return Fields.parse(answer.body, "GetSecretValue").text("SecretString", "")

    def put_object(self, bucket: str, key: str, content: bytes) -> None:
        """Write an object."""
        path = quote(f"/{bucket}/{key}")
        _refuse(self.call("s3", "PUT", path, content, {"content-type": "text/plain"}), f"PUT of {key}")

    def object(self, bucket: str, key: str) -> bytes | None:
        """An object; None if there is none."""
        answer = self.call("s3", "GET", quote(f"/{bucket}/{key}"), b"", {})
        if answer.status == 404:
            return None
        _refuse(answer, f"GET of {key}")
        return answer.body

    def objects(self, bucket: str, prefix: str) -> tuple[dict[str, float], float]:
        """Key → when it was last written, and the time now; both in epoch seconds, by the bucket's clock."""
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
                    told = {each.tag.rpartition("}")[2]: each.text or "" for each in entry}
                    date = told["LastModified"][:19]
                    found[told["Key"]] = calendar.timegm(time.strptime(date, "%Y-%m-%dT%H:%M:%S"))
            more = next((each.text or "" for each in tree if each.tag.endswith("}NextContinuationToken")), "")
            if not more:
                return found, parsedate_to_datetime(answer.date).timestamp()

    def call(self, service: str, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        """One signed call; a passing failure is tried again. `cloud` if there is no answer at all."""
        endpoint = urlsplit(self._endpoints[service])
        request = Signed(service, self.region, method, endpoint.path.rstrip("/") + path, body, headers)
        for attempt in range(_TRIES):
            try:
                answer = self._send(endpoint.scheme, endpoint.netloc, request)
            except (OSError, http.client.HTTPException) as error:
                if attempt == _TRIES - 1:
                    raise AgentError("cloud", f"{service} at {endpoint.netloc}: {error}") from error
            else:
                if answer.status < 500 or attempt == _TRIES - 1:
                    return answer
            time.sleep(0.3 * 4**attempt)
        raise AssertionError

    def _send(self, scheme: str, host: str, request: Signed) -> Answer:
        headers = request.sign(self.imds.credentials(), host)
        if scheme == "https":
            context = ssl.create_default_context()
            if durable.read(self._ca):
                context.load_verify_locations(self._ca)
            connection = http.client.HTTPSConnection(host, timeout=_TIMEOUT, context=context)
        else:
            connection = http.client.HTTPConnection(host, timeout=_TIMEOUT)
        try:
            connection.request(request.method, request.path, request.body, headers)
            answer = connection.getresponse()
            return Answer(answer.status, answer.read(), answer.headers.get("Date") or "")
        finally:
            connection.close()


def _refuse(answer: Answer, what: str) -> None:
    if answer.status != 200:
        raise AgentError("cloud", f"{what}: {answer.reason}")
