"""The way to a host on AWS: a session of AWS Systems Manager that carries ssh. No port of the host is open.

ssh runs this as its ProxyCommand. It has EC2 Instance Connect give the host our public key for a minute,
starts a session, and becomes AWS' session-manager-plugin, which speaks for it on standard input and output.
"""

import argparse
import fcntl
import json
import os
import random
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from hosts.agent.sigv4 import Credentials
from slipway.fleet.ssh import NO_SESSION
from slipway.platforms.aws.session import CAUSES, AwsSession, explained
from slipway.settings import BadInput, SlipwayError
from slipway.storage.signed_http import SignedHttp, Unreachable

RESPONSE = "AWS_SSM_START_SESSION_RESPONSE"
DOCUMENT = "AWS-StartSSHSession"


def proxy_command(region: str, profile: str, key: Path) -> str:
    """The ProxyCommand, with ssh's own %h (the instance), %p and %r in it."""
    given = ["--region", region, "--key", str(key.absolute())] + (["--profile", profile] if profile else [])
    words = [sys.executable, "-P", "-m", "slipway.platforms.aws.tunnel", *given]
    return shlex.join(words).replace("%", "%%") + " %r %h %p"


def open_session(session: AwsSession, instance: str, user: str, port: int, key: str) -> tuple[list[str], str]:
    """Let `key` in as `user`, and start a session: the plugin's arguments and, for its env, the token."""
    asked = {
        "Target": instance,
        "DocumentName": DOCUMENT,
        "Parameters": {"portNumber": [str(port)]},
    }
    with ThreadPoolExecutor(2) as pool:
        pushed = {"InstanceId": instance, "InstanceOSUser": user, "SSHPublicKey": key}
        let_in = pool.submit(_call, session, "ec2-instance-connect", "send_ssh_public_key", pushed)
        started = pool.submit(_call, session, "ssm", "start_session", asked)
        let_in.result()
        answer = started.result()
    token = json.dumps({name: answer[name] for name in ("SessionId", "TokenValue", "StreamUrl")})
    quick = without_botocore(session.region, session.profile)
    endpoint = direct_endpoint("ssm", session.region) if quick else session.endpoint("ssm")
    arguments = [
        *(PLUGIN, RESPONSE, session.region, "StartSession", session.profile),
        *(json.dumps(asked), endpoint),
    ]
    return arguments, token


def _call(session: AwsSession, service: str, operation: str, given: dict[str, Any]) -> dict[str, Any]:
    if not without_botocore(session.region, session.profile):
        return session.call(service, operation, **given)
    try:
        return direct_call(service, operation, session.region, given)
    except Answered as refused:
        name = TARGETS[service, operation].rpartition(".")[2]
        raise explained(refused, service=service, operation=name, region=session.region) from None


RENEW_SECONDS = 12 * 3600


def ssh_key(state_dir: Path) -> Path:
    """Path of the private key; its public half is beside it, `.pub`. Replaced twice a day."""
    folder = state_dir / "ssh"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / "operator"
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        if not _is_fresh(path):
            _make(path)
    finally:
        os.close(handle)
    return path


def _is_fresh(path: Path) -> bool:
    try:
        public = path.with_name(f"{path.name}.pub").stat()
        return path.exists() and 0 <= time.time() - public.st_mtime < RENEW_SECONDS
    except FileNotFoundError:
        return False


def _make(path: Path) -> None:
    fresh = path.with_name(f"{path.name}.new")
    for old in (fresh, fresh.with_name(f"{fresh.name}.pub")):
        old.unlink(missing_ok=True)
    try:
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "slipway", "-f", str(fresh)],
            check=True, capture_output=True, timeout=20,
        )  # fmt: skip
    except FileNotFoundError:
        raise SlipwayError(
            "ssh is not installed on this machine", remedy="install the OpenSSH client"
        ) from None
    fresh.replace(path)
    fresh.with_name(f"{fresh.name}.pub").replace(path.with_name(f"{path.name}.pub"))


PLUGIN = "session-manager-plugin"
NEWER_THAN = (1, 2, 497, 0)
"""Up to this version it takes the session's token in its arguments, which everybody on the machine can read.
(awscli, customizations/sessionmanager.py: LAST_PLUGIN_VERSION_WITHOUT_ENV_VAR)"""
INSTALL = (
    "install it: https://docs.aws.amazon.com/systems-manager/latest/userguide/"
    "session-manager-working-with-install-plugin.html"
)


def find_plugin() -> str:
    """Its version. BadInput: it is not on PATH, or too old."""
    try:
        done = subprocess.run([PLUGIN, "--version"], capture_output=True, text=True, check=False, timeout=20)
    except FileNotFoundError:
        raise BadInput(f"{PLUGIN} is not on PATH: hosts on AWS are reached by it", remedy=INSTALL) from None
    version = done.stdout.strip()
    if not re.fullmatch(r"\d+(\.\d+){2,3}", version):
        raise BadInput(f"{PLUGIN} does not print its version", remedy=INSTALL)
    if tuple(int(part) for part in version.split(".")) <= NEWER_THAN:
        newest = ".".join(str(part) for part in NEWER_THAN)
        raise BadInput(f"{PLUGIN} {version} is too old: newer than {newest} is needed", remedy=INSTALL)
    return version


# The two calls without botocore's clients, which take 0.4 s of processor time in every host's process.
# Used where credentials are in the environment, as in CI.

TARGETS = {
    ("ssm", "start_session"): "AmazonSSM.StartSession",
    ("ec2-instance-connect", "send_ssh_public_key"): "AWSEC2InstanceConnectService.SendSSHPublicKey",
}
"""Operations of services that speak JSON 1.1 (botocore's models: targetPrefix, jsonVersion)."""
ATTEMPTS = 4
ANSWER_SECONDS = 8
_PASSING = frozenset(code for cause in CAUSES if not cause.input for code in cause.codes)
_SPECIAL = ("AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT")
_OTHER_PARTITIONS = ("cn-", "us-iso", "eu-isoe")


class Answered(Exception):
    """A refusal, in the shape that botocore gives to one."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code)
        self.response = {"Error": {"Code": code, "Message": message}}


def without_botocore(region: str, profile: str, env: Mapping[str, str] = os.environ) -> bool:
    """Are credentials in the environment, and endpoints where they always are? Else botocore knows better."""
    given = env.get("AWS_ACCESS_KEY_ID") and env.get("AWS_SECRET_ACCESS_KEY")
    special = any(env.get(name) for name in _SPECIAL) or region.startswith(_OTHER_PARTITIONS)
    return bool(given) and not profile and not special


def direct_endpoint(service: str, region: str, env: Mapping[str, str] = os.environ) -> str:
    """Where `service` is; moved by the same variables that move botocore's clients."""
    own = env.get(f"AWS_ENDPOINT_URL_{service.upper().replace('-', '_')}")
    return own or env.get("AWS_ENDPOINT_URL") or f"https://{service}.{region}.amazonaws.com"


def direct_call(service: str, operation: str, region: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The answer. Raises Answered. Throttled calls are retried here, lost ones by SignedHttp."""
    env = os.environ
    who = Credentials(
        env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], env.get("AWS_SESSION_TOKEN", "")
    )
    http = SignedHttp(
        direct_endpoint(service, region), service, region, lambda: who,
        ca_file=env.get("AWS_CA_BUNDLE"), timeout=ANSWER_SECONDS,
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


def main() -> NoReturn:
    """Open the way, or say on standard error why there is none, and end with 255 as ssh does."""
    parser = argparse.ArgumentParser(prog="slipway.platforms.aws.tunnel", description=__doc__)
    for option in ("--region", "--key"):
        parser.add_argument(option, required=True)
    parser.add_argument("--profile", default="")
    for argument in ("user", "instance"):
        parser.add_argument(argument)
    parser.add_argument("port", type=int)
    given = parser.parse_args()
    try:
        # Checked first: a session that is not taken up stays open for minutes.
        if not shutil.which(PLUGIN):
            raise BadInput(f"{PLUGIN} is not on PATH", remedy=INSTALL)
        key = Path(f"{given.key}.pub").read_text().strip()
        session = AwsSession(given.region, given.profile)
        arguments, token = open_session(session, given.instance, given.user, given.port, key)
    except SlipwayError as failure:
        sys.stderr.write(f"{NO_SESSION}: {failure.message}; {failure.remedy}\n")
        sys.exit(255)
    os.execvpe(PLUGIN, arguments, {**os.environ, RESPONSE: token})  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()
