"""A stack's outputs on AWS: from the parameter that `pulumi up` wrote, else from Pulumi itself."""

from __future__ import annotations

import json
import shutil
import subprocess

from pydantic import ValidationError

from slipway.platforms.aws.account import check_account
from slipway.platforms.aws.failures import AwsRefused
from slipway.platforms.aws.session import AwsSession, names_of
from slipway.settings.errors import BadInput
from slipway.settings.outputs import Outputs
from slipway.settings.project import Project

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
