"""What a stack on AWS needs of this machine and account. Other platforms' stacks are passed over."""

from __future__ import annotations

import shutil
from collections.abc import Iterable

from slipway.platforms.aws.tunnel import PLUGIN, find_plugin
from slipway.platforms.diagnosis import Finding, fail, ok, warn
from slipway.settings.errors import BadInput
from slipway.settings.project import Project
from slipway.stack import LiveStack


def credentials(project: Project) -> Iterable[Finding]:
    """There are credentials, and they are of the stack's account."""
    if project.stack.platform != "aws" or project.stack.aws is None:
        return
    from slipway.platforms.aws.session import check_account, session_of  # noqa: PLC0415 - slow to import

    check_account(session_of(project), project.stack)
    yield ok(f"AWS credentials are of account {project.stack.aws.account}, as the settings say")


def programs(project: Project) -> Iterable[Finding]:
    """Hosts are reached by the plugin of Systems Manager; other command lines are a help."""
    if project.stack.platform != "aws":
        return
    try:
        yield ok(f"{PLUGIN} {find_plugin()} is installed")
    except BadInput as problem:
        yield fail(problem.message, problem.remedy)
    if shutil.which("pulumi"):
        yield ok("pulumi is on PATH")
    else:
        yield warn(
            "pulumi is not on PATH: `slipway up` cannot change what exists, only set up what is there",
            "https://www.pulumi.com/docs/install/",
        )
    if shutil.which("aws") is None:
        yield warn("the aws command line is not on PATH: no `aws sso login` here", "pipx install awscli")


def hosts(opened: LiveStack) -> Iterable[Finding]:
    """Instances that are not hosts yet, or not any more."""
    if opened.outputs.platform != "aws":
        return
    for name, why in opened.absent.items():
        yield warn(f"{name} is {why}", f"slipway status --stack {opened.outputs.stack} in a few minutes")
    if not opened.outputs.hosts:
        yield fail("the stack has no host", f"slipway up --stack {opened.outputs.stack}")
