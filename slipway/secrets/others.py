"""The secrets of a project's other stacks, as far as this person may read them, to find values used twice."""

from __future__ import annotations

from slipway.errors import BadInput
from slipway.secrets.age_store import AgeStore, default_path
from slipway.secrets.identity import Identity
from slipway.settings.project import Project
from slipway.settings.stack_file import load_stack, stack_names


def other_stacks(project: Project) -> dict[str, dict[str, str]]:
    """Secrets by stack, without `project`'s own and without those that cannot be opened here."""
    found: dict[str, dict[str, str]] = {}
    for name in stack_names(project.root):
        if name == project.stack.name:
            continue
        try:
            stack = load_stack(project.root, name)
            found[name] = AgeStore(default_path(project.root, stack), Identity.of_stack(stack)).read()
        except BadInput:
            continue  # another team's stack, or one that is broken: not this stack's fault
    return found
