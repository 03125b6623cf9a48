"""The two calls that open the way to a host, without botocore's clients, which take 0.4 s of processor time.

Every host's way is a process of its own. Used where credentials are in the environment, as in CI.
"""

import json
import os
import random
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from hosts.agent.sigv4 import Credentials
from slipway.platforms.aws.session import CAUSES
from slipway.storage.signed_http import SignedHttp, Unreachable

TARGETS = {
    ("ssm", "start_session"): "AmazonSSM.StartSession",
    ("ec2-instance-connect", "send_ssh_public_key"): "AWSEC2InstanceConnectService.SendSSHPublicKey",
}
"""Operations of services that speak JSON 1.1 (botocore's models: targetPrefix, jsonVersion)."""
ATTEMPTS = 4
SECONDS = 8
_PASSING = frozenset(code for cause in CAUSES if not cause.input for code in cause.codes)
_SPECIAL = ("AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT")
_OTHER_PARTITIONS = ("cn-", "us-iso", "eu-isoe")


class Answered(Exception):
    """A refusal, in the shape that botocore gives to one."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code)
        self.response = {"Error": {"Code": code, "Message": message}}


def possible(region: str, profile: str, env: Mapping[str, str] = os.environ) -> bool:
    """Are credentials in the environment, and endpoints where they always are? Else botocore knows better."""
    given = env.get("AWS_ACCESS_KEY_ID") and env.get("AWS_SECRET_ACCESS_KEY")
    special = any(env.get(name) for name in _SPECIAL) or region.startswith(_OTHER_PARTITIONS)
    return bool(given) and not profile and not special


def endpoint(service: str, region: str, env: Mapping[str, str] = os.environ) -> str:
    """Where `service` is; moved by the same variables that move botocore's clients."""
    own = env.get(f"AWS_ENDPOINT_URL_{service.upper().replace('-', '_')}")
    return own or env.get("AWS_ENDPOINT_URL") or f"https://{service}.{region}.amazonaws.com"


def call(service: str, operation: str, region: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The answer. Raises Answered. Throttled calls are retried here, lost ones by SignedHttp."""
    env = os.environ
    who = Credentials(
        env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], env.get("AWS_SESSION_TOKEN", "")
    )
    http = SignedHttp(
        endpoint(service, region), service, region, lambda: who,
        ca_file=env.get("AWS_CA_BUNDLE"), timeout=SECONDS,
    )  # fmt: skip
    headers = {"content-type": "application/x-amz-json-1.1", "x-amz-target": TARGETS[service, operation]}
    body = json.dumps(given).encode()
    for attempt in range(ATTEMPTS):
        try:
            answer = http.request("POST", "/", headers=headers, body=body)
        except Unreachable as lost:
            raise Answered("EndpointConnectionError", str(lost)) from None
        if answer.status < 300:
            return json.loads(answer.content)
        refusal = _refusal(answer.status, answer.content)
        if refusal.response["Error"]["Code"] not in _PASSING or attempt == ATTEMPTS - 1:
            raise refusal
        time.sleep(random.uniform(0, 0.3 * 2**attempt))  # noqa: S311 - spreads attempts, hides nothing
    raise AssertionError


def _refusal(status: int, body: bytes) -> Answered:
    said: dict[str, Any] = {}
    with suppress(ValueError):
        said = json.loads(body)
    if status >= 500:
        return Answered("Throttling" if status == 503 else "ConnectionClosedError", f"status {status}")
    code = str(said.get("__type", status)).rpartition("#")[2]
    return Answered(code, str(said.get("message") or said.get("Message") or ""))
