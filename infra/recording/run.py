"""Runs a program's body in this process against the recording monitor.

Pulumi's runtime is global state, so `record` runs a whole program in a process of its own;
`record_component` is for tests of single components.
"""

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
    """The resources that `body` registers, and its exports. Raises what `body` raises.

    Never a dry run: a preview skips functions in `apply`, and with them their assertions.
    """
    monitor = RecordingMonitor(project, stack, answer)

    async def settled() -> None:
        body()
        # Pulumi's own wait is quadratic: it examines every pending output after each one that completes.
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
    """The graph of the resources that `make` declares. A mapping that it returns is exported."""

    def body() -> None:
        made = make()
        if isinstance(made, dict):
            for key, value in made.items():  # pyright: ignore[reportUnknownVariableType]
                pulumi.export(str(key), value)  # pyright: ignore[reportUnknownArgumentType]

    return run(body, project=project, stack=stack, answer=answer)


def _outputs() -> list[asyncio.Task[Any]]:
    """The tasks that the running program's outputs wait for."""
    return list(cast("set[asyncio.Task[Any]]", getattr(SETTINGS, "outputs", set[Any]())))
