"""What the stack's own files say: its age key, its secrets, whether it was brought up."""

from __future__ import annotations

from collections.abc import Iterable

from slipway.doctor.finding import Finding, fail, ok, warn
from slipway.secrets.check import check
from slipway.secrets.identity import Identity
from slipway.secrets.store import open_store
from slipway.settings.errors import BadInput
from slipway.settings.project import Project
from slipway.stack import LiveStack


def age_key(project: Project) -> Iterable[Finding]:
    """Someone here can open the stack's secrets."""
    if project.stack.platform == "aws":
        return
    identity = Identity.of_stack(project.stack)
    try:
        identity.keys()
    except BadInput as problem:
        if identity.may_create and identity.file is not None and not identity.file.exists():
            yield warn(
                f"there is no age key yet in {identity.where}",
                f"`slipway secrets generate --stack {project.stack.name}` makes one",
            )
        else:
            yield fail(problem.message, problem.remedy)
        return
    if identity.file is not None and identity.file.stat().st_mode & 0o077:
        yield warn(f"others may read {identity.where}", f"chmod 600 {identity.file}")
    yield ok(f"the age key in {identity.where} is good")


def secrets(project: Project) -> Iterable[Finding]:
    """Every secret that the app asks for is there, strong and its own."""
    found = check(project.app, project.stack, open_store(project).read())
    for finding in found:
        yield fail(f"secret {finding}", finding.remedy)
    if not found:
        yield ok("every secret that the app asks for is there and strong")


def brought_up(opened: LiveStack) -> Iterable[Finding]:
    """The stack has outputs: `slipway up` or Pulumi made it."""
    outputs = opened.outputs
    yield ok(f"stack {outputs.stack} is up at {outputs.url}, {len(outputs.hosts)} hosts")
