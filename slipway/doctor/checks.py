"""Which checks there are, and how they are run: all of a kind at once, none able to stop another."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from slipway.doctor import aws, machine, stack
from slipway.platforms.diagnosis import Finding, fail, ok, warn
from slipway.settings.errors import BadInput, SlipwayError
from slipway.settings.project import Project, open_project
from slipway.stack import LiveStack

T = TypeVar("T")
Checks = tuple[Callable[[T], Iterable[Finding]], ...]

MACHINE: Checks[Project | None] = (
    machine.python,
    machine.ssh_client,
    machine.git,
    machine.docker,
    machine.ports,
    machine.disk,
    machine.npm_registry,
)
STACK: Checks[Project] = (stack.age_key, stack.secrets, aws.credentials, aws.programs)
LIVE: Checks[LiveStack] = (stack.brought_up, aws.hosts, stack.hosts, stack.certificate, stack.lease)


def examine(stack_name: str, start: Path | None = None) -> list[Finding]:
    """Everything about the machine and, if `start` (default: here) is in a project, about its stack.

    Never raises for what is wrong: it is found.
    """
    try:
        project = open_project(stack_name, start)
    except BadInput as problem:
        settings = [fail(line, problem.remedy) for line in problem.details or (problem.message,)]
        return settings + diagnose(None)
    files = f"Pulumi.{stack_name}.yaml and {project.toml.name} are valid"
    return [ok(files), *diagnose(project)]


def diagnose(project: Project | None) -> list[Finding]:
    """What is right and wrong with this machine, and with the stack of `project` if one is given."""
    findings = _run(MACHINE, project)
    if project is None:
        return findings
    findings += _run(STACK, project)
    opened = LiveStack(project)
    try:
        _ = opened.outputs
    except SlipwayError as problem:
        return [*findings, warn(problem.message, problem.remedy)]
    return findings + _run(LIVE, opened)


def _run(checks: Checks[T], subject: T) -> list[Finding]:
    with ThreadPoolExecutor(len(checks), thread_name_prefix="doctor") as pool:
        looking = [pool.submit(_safely, check, subject) for check in checks]
        return [finding for found in looking for finding in found.result()]


def _safely(check: Callable[[T], Iterable[Finding]], subject: T) -> list[Finding]:
    try:
        return list(check(subject))
    except SlipwayError as problem:
        return [fail(problem.message, problem.remedy)]
    except Exception as accident:
        name = check.__name__.replace("_", " ")
        return [fail(f"{name} could not be looked at: {type(accident).__name__}: {accident}", "report this")]
