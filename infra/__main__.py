"""The Pulumi program: what one stack consists of. `pulumi up` runs it; it uses no network."""

import gc
import importlib
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pulumi

from slipway.settings import BadInput, Project, SlipwayError, open_project

PROGRAMS = {"aws": "infra.aws.program", "local": "infra.local.program"}
"""By platform, the module whose `program` declares a stack. It is imported only when used: the providers'
libraries take seconds."""


def main() -> None:
    """Declare the stack that Pulumi selected, and export its outputs."""
    try:
        outputs = declare(open_project(pulumi.get_stack(), Path.cwd()))
    except SlipwayError as error:
        # A RunError is shown without a traceback: it is an error in the settings.
        raise pulumi.RunError("\n".join(filter(None, (str(error), *error.details, error.remedy)))) from error
    for name, value in outputs.items():
        pulumi.export(name, value)


def declare(project: Project) -> Mapping[str, Any]:
    """Declare everything in `project`'s stack. Returns the stack outputs: each a field of `Outputs`, by name.

    Raises BadInput if the stack's platform is not made by Pulumi.
    """
    stack = project.stack
    module = PROGRAMS.get(stack.platform)
    if module is None:
        raise BadInput(
            f"stack {stack.name} is on platform {stack.platform}: its hosts exist already, and Pulumi makes"
            " nothing for it",
            remedy=f"set them up with `slipway up --stack {stack.name}`",
        )
    with _without_garbage_collection():
        return importlib.import_module(module).program(project)


@contextmanager
def _without_garbage_collection() -> Generator[None]:
    """Importing the providers' libraries makes a hundred thousand objects, none of them garbage: collecting
    meanwhile took an eighth of this program's time.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


if __name__ == "__main__":
    main()
