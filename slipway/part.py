"""A part of a stack that has a URL of its own, a preview: checks and load tests see it as they see a stack.

Another process gets it through a pipe, since it holds secrets, which have no place in argv and files.
"""

import os
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace

from pydantic import BaseModel, ConfigDict, Field

from slipway.settings import App, Outputs, Project

PREVIEWS = "previews"
"""In a stack's state folder: the reports of each preview."""


class Part(BaseModel):
    """What is a part's own; all else is the stack's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    app: App
    """slipway.toml, as the part's build declares it."""
    outputs: Outputs
    secrets: dict[str, str] = Field(repr=False)
    """The stack's values and the part's own."""

    def of(self, project: Project) -> Project:
        """`project` with the part's app, and a folder for its reports."""
        return replace(project, app=self.app, state_dir=project.state_dir / PREVIEWS / self.name)

    @contextmanager
    def handed_over(self) -> Generator[int]:
        """A descriptor from which a process that inherits it reads the part (`part_from`)."""
        reads, writes = os.pipe()
        thread = threading.Thread(target=_write, args=(writes, self.model_dump_json().encode()), daemon=True)
        thread.start()
        try:
            yield reads
        finally:
            os.close(reads)
            thread.join()


def part_from(descriptor: int) -> Part:
    """The part that a parent process handed over."""
    with os.fdopen(descriptor, "rb") as pipe:
        return Part.model_validate_json(pipe.read())


def _write(descriptor: int, content: bytes) -> None:
    try:
        with os.fdopen(descriptor, "wb") as pipe:
            pipe.write(content)
    except BrokenPipeError:
        pass  # the process has ended without reading it, and says why
