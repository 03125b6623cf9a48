"""The app's own checks (P1): its lint, type check and tests, run on a clean copy of what would be built."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from slipway.build import cache
from slipway.build.build import input_digest
from slipway.build.command import BuildFailed, run_command
from slipway.build.environment import build_env, client_env
from slipway.build.inputs import settings_digest
from slipway.build.runtime import install
from slipway.build.source import copy_files, read_source
from slipway.settings.project import Project


@dataclass(frozen=True)
class FailedCheck:
    """A command that failed, why, and the last lines it wrote (redacted)."""

    command: str
    reason: str
    tail: str


def run_checks(
    project: Project,
    *,
    redact: Callable[[str], str] = str,
    line: Callable[[str], None] = lambda _: None,
) -> Iterator[FailedCheck]:
    """Run `preflight.commands` in order, with the pinned runtime; the first that fails ends it and is given.

    A source that passed them on this machine is not checked again.
    """
    app = project.app
    source = read_source(project.context)
    public = client_env(app, project.stack)
    key = settings_digest(input_digest(app, source, public), list(app.preflight.commands))
    if not app.preflight.commands or cache.recall("checks", key):
        return
    runtime = install(app.runtime, line)
    env = build_env(runtime.bin if runtime else None, public)
    with cache.workshop(f"{app.name}-checks") as folder:
        copy_files(source.root, source.files, folder)
        for command in app.preflight.commands:
            try:
                run_command(
                    "preflight.commands",
                    command,
                    directory=folder,
                    env=env,
                    timeout=app.preflight.timeout_seconds,
                    redact=redact,
                    line=line,
                )
            except BuildFailed as failed:
                yield FailedCheck(command, failed.message, "\n".join(failed.details))
                return
    cache.remember("checks", key, {"passed": True})
