"""Deletes everything that a stack's program made."""

from slipway.platforms.pulumi.open import explained, open_stack
from slipway.platforms.pulumi.up import Show
from slipway.progress import Progress
from slipway.settings import Project


def destroy(project: Project, progress: Progress) -> None:
    """Delete the stack's resources. BadInput: the engine holds no such stack."""
    stack = open_stack(project, progress, make=False)
    with progress.phase("destroy"), explained("the deletion"):
        stack.destroy(refresh=True, on_event=Show(progress), color="never")
