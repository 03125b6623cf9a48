"""The Pulumi program: what one stack consists of. `pulumi up` runs it; nothing in it asks the network."""

from __future__ import annotations

import gc
import importlib
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pulumi

from slipway.settings.errors import BadInput, SlipwayError
from slipway.settings.project import Project, open_project

PROGRAMS = {"aws": "infra.aws.program", "local": "infra.local.program"}
"""By platform, its program; imported only where it is used, because the providers take seconds to import."""


def main() -> None:
    """Declare the stack that Pulumi selected, and export its outputs."""
    try:
        outputs = declare(open_project(pulumi.get_stack(), Path.cwd()))
    except SlipwayError as error:
        # Pulumi tells it without a traceback: it is the user's to correct.
        raise pulumi.RunError("\n".join(filter(None, (str(error), *error.details, error.remedy)))) from error
    for name, value in outputs.items():
        pulumi.export(name, value)


def declare(project: Project) -> Mapping[str, Any]:
    """Everything of `project`'s stack. Returns the stack outputs: each a field of `Outputs`, by its name.

    Raises BadInput for a platform that is not in PROGRAMS: there Pulumi makes nothing.
    """
    with _no_collection():
        return _program(project)(project)


def _program(project: Project) -> Callable[[Project], Mapping[str, Any]]:
    module = PROGRAMS.get(project.stack.platform)
    if module is None:
        raise BadInput(
            f"stack {project.stack.name} is on platform {project.stack.platform}, where Pulumi makes nothing",
            remedy=f"`slipway up --stack {project.stack.name}` sets its hosts up",
        )
    return importlib.import_module(module).program


@contextmanager
def _no_collection() -> Generator[None]:
    """The providers' libraries are a hundred thousand objects that stay: looking through them again and again
    for garbage, while they are imported one by one, was an eighth of this program's time.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


if __name__ == "__main__":
    main()
