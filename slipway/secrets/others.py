"""The secrets of a project's other stacks, as far as this person may read them, to find values used twice."""

from __future__ import annotations

from dataclasses import replace

from slipway.secrets.store import open_store
from slipway.settings.errors import SlipwayError
from slipway.settings.project import Project
from slipway.settings.stack import Stack
from slipway.settings.stack_file import load_stack, stack_names


def other_stacks(project: Project) -> dict[str, dict[str, str]]:
    """Secrets by stack, without `project`'s own and without those that cannot be opened here."""
    found: dict[str, dict[str, str]] = {}
    for name in stack_names(project.root):
        if name == project.stack.name:
            continue
        try:
            stack = load_stack(project.root, name)
            if _within_reach(project.stack, stack):
                found[name] = open_store(replace(project, stack=stack)).read()
        except SlipwayError:
            continue  # another team's stack, or one that is broken: not this stack's fault
    return found


def _within_reach(mine: Stack, other: Stack) -> bool:
    """AWS is asked only by those who work there anyway: a release of a local fleet needs no credentials."""
    if other.platform != "aws":
        return True
    return mine.aws is not None and other.aws is not None and mine.aws.account == other.aws.account
