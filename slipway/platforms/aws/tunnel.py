"""The way to a host on AWS: a session of AWS Systems Manager that carries ssh. No port of the host is open.

ssh runs this as its ProxyCommand. It has EC2 Instance Connect give the host our public key for a minute,
starts a session, and becomes AWS' session-manager-plugin, which speaks for it on standard input and output.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn

from slipway.fleet.ssh_errors import NO_SESSION
from slipway.platforms.aws import light
from slipway.platforms.aws.failures import told
from slipway.platforms.aws.plugin import INSTALL, PLUGIN
from slipway.platforms.aws.session import AwsSession
from slipway.settings.errors import BadInput, SlipwayError

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
    quick = light.possible(session.region, session.profile)
    endpoint = light.endpoint("ssm", session.region) if quick else session.endpoint("ssm")
    arguments = [
        *(PLUGIN, RESPONSE, session.region, "StartSession", session.profile),
        *(json.dumps(asked), endpoint),
    ]
    return arguments, token


def _call(session: AwsSession, service: str, operation: str, given: dict[str, Any]) -> dict[str, Any]:
    if not light.possible(session.region, session.profile):
        return session.call(service, operation, **given)
    try:
        return light.call(service, operation, session.region, given)
    except light.Answered as refused:
        name = light.TARGETS[service, operation].rpartition(".")[2]
        raise told(refused, service=service, operation=name, region=session.region) from None


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
        # Asked first: a session that nobody takes up stays open for minutes.
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
