"""Opening a stack on AWS: its outputs, its hosts of this moment, and what ssh needs to reach them."""

import json
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

from pydantic import ValidationError

from slipway.fleet.open_bucket import open_bucket
from slipway.fleet.ssh_config import write_ssh_config
from slipway.platforms.aws.discovery import Seen, discover, look
from slipway.platforms.aws.failures import AwsRefused
from slipway.platforms.aws.session import AwsSession, check_account, names_of, session_of
from slipway.platforms.aws.tunnel import proxy_command, ssh_key
from slipway.platforms.platform import Opened
from slipway.settings import BadInput, Cloud, Outputs, Project
from slipway.storage.bucket import Bucket

CONNECT_SECONDS = 14
"""To the host's first word, through Systems Manager; a bit less than the whole attempt may take."""


def open_outputs(project: Project) -> Opened:
    """Outputs, discovery and ssh_config. BadInput: the stack was never provisioned; AwsInput: no rights."""
    session, fleet = session_of(project), names_of(project.stack).fleet
    # All these have names that the settings give, so none has to wait for another.
    with ThreadPoolExecutor(1, thread_name_prefix="open") as aside:
        looking = aside.submit(look, session, fleet)
        outputs = read_outputs(session, project)
        return with_hosts(project, outputs, looking.result())


def with_hosts(project: Project, outputs: Outputs, seen: Seen | None = None) -> Opened:
    """`outputs` with the hosts of this very moment; ssh_config and known_hosts are as they must be for them.

    `seen`: what AWS said a moment ago. Kept connections to hosts that were known before stay.
    """
    session, state_dir = session_of(project), project.state_dir.resolve()
    seen = seen or look(session, names_of(project.stack).fleet)
    found = discover(seen, cloud_of(outputs), builds_bucket(session, outputs))
    key = ssh_key(state_dir)
    config = write_ssh_config(
        found.hosts,
        state_dir,
        key,
        proxy=proxy_command(session.region, session.profile, key),
        connect_seconds=CONNECT_SECONDS,
    )
    return Opened(outputs.model_copy(update={"hosts": found.hosts, "ssh_config": str(config)}), found.absent)


def builds_bucket(session: AwsSession, outputs: Outputs) -> Bucket:
    """The builds bucket, as this session's account."""
    return open_bucket(outputs, {}, session.credentials)


def cloud_of(outputs: Outputs) -> Cloud:
    """What AWS knows the stack's parts by."""
    if outputs.cloud is None:
        raise BadInput(f"the outputs of stack {outputs.stack} are not of platform aws")
    return outputs.cloud


PULUMI_SECONDS = 60


def read_outputs(session: AwsSession, project: Project) -> Outputs:
    """The outputs, without hosts: those are found, not written down.

    BadInput: the stack was never provisioned, or by another version; or the account is not the stack's.
    """
    parameter = names_of(project.stack).outputs_parameter
    try:
        found = session.call("ssm", "get_parameter", Name=parameter)
    except AwsRefused as refused:
        if refused.code not in ("ParameterNotFound", "ParameterVersionNotFound"):
            raise
        check_account(session, project.stack)  # in another account it would not be there either
        return _from_pulumi(project, parameter)
    return _valid(found["Parameter"]["Value"], f"SSM parameter {parameter}", project)


def _from_pulumi(project: Project, parameter: str) -> Outputs:
    stack = project.stack.name
    said = "the pulumi CLI is not on PATH"
    if shutil.which("pulumi"):
        done = subprocess.run(
            ["pulumi", "stack", "output", "--json", "--non-interactive", "--stack", stack],
            cwd=project.root, capture_output=True, text=True, check=False, timeout=PULUMI_SECONDS,
        )  # fmt: skip
        if done.returncode == 0 and done.stdout.strip() not in ("", "{}"):
            return _valid(done.stdout, f"pulumi stack output --stack {stack}", project)
        said = (done.stderr.strip().splitlines() or ["pulumi has no outputs for it"])[-1]
    raise BadInput(
        f"stack {stack} is not up: there is no SSM parameter {parameter}, and {said}",
        remedy=f"slipway up --stack {stack}, with the pulumi CLI on PATH (docs/aws.md)",
    )


def _valid(text: str, where: str, project: Project) -> Outputs:
    stack = project.stack.name
    remedy = f"provision with this version: slipway up --stack {stack}"
    try:
        outputs = Outputs.model_validate(json.loads(text))
    except ValidationError as wrong:
        first = wrong.errors(include_input=False, include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise BadInput(
            f"{where} is not what this version writes: {key}: {first['msg']}", remedy=remedy
        ) from None
    except ValueError:
        raise BadInput(f"{where} holds no JSON", remedy=remedy) from None
    if outputs.stack != stack or outputs.cloud is None:
        raise BadInput(f"{where} is of another stack or platform: {outputs.stack}", remedy=remedy)
    return outputs
