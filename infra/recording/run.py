"""Runs a program's body in this process against the recording monitor. Pulumi's runtime is global state:
one run of a whole program a process (`record`); `record_component` is for tests that build a single one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pulumi
from pulumi.runtime.mocks import MockEngine, MockSettings
from pulumi.runtime.settings import SETTINGS, configure
from pulumi.runtime.stack import run_in_stack

from infra.recording.answers import Answer
from infra.recording.graph import Graph
from infra.recording.monitor import RecordingMonitor


def run(
    body: Callable[[], Any], *, project: str, stack: str, root: str = "", answer: Answer | None = None
) -> Graph:
    """What `body` registers and exports. Raises what it raises.

    Never a dry run: a preview skips what stands in `apply`, and with it every assertion there.
    """
    monitor = RecordingMonitor(project, stack, answer)

    async def settled() -> None:
        body()
        # Pulumi's own wait looks at every pending output after each one that is done: quadratic.
        while pending := [each for each in _outputs() if not each.done()]:
            await asyncio.wait(pending)

    async def recorded() -> None:
        settings: dict[str, Any] = {
            "project": project,
            "stack": stack,
            "root_directory": root,
            "organization": "organization",
            "dry_run": False,
            "monitor": monitor,
            "engine": MockEngine(None),
            "monitor_features": set[int](),
            "package_refs": {},
            "base_providers_by_ref": {},
            "outputs": set[Any](),
            "callbacks": None,
        }
        configure(MockSettings(**settings))
        await run_in_stack(settled)

    asyncio.run(recorded())
    return monitor.graph()


def record_component(
    make: Callable[[], Any], *, project: str = "board", stack: str = "test", answer: Answer | None = None
) -> Graph:
    """The graph of what `make` builds. If it returns a mapping, that is exported."""

    def body() -> None:
        made = make()
        if isinstance(made, dict):
            for key, value in made.items():  # pyright: ignore[reportUnknownVariableType]
                pulumi.export(str(key), value)  # pyright: ignore[reportUnknownArgumentType]

    return run(body, project=project, stack=stack, answer=answer)


def _outputs() -> list[asyncio.Task[Any]]:
    """What the program's outputs wait for; known to a running program only."""
    return list(cast("set[asyncio.Task[Any]]", getattr(SETTINGS, "outputs", set[Any]())))
