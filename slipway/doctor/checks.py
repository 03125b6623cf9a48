"""Which checks there are, and how they run: all of a kind at once, and none can stop another."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from slipway.doctor import machine, stack
from slipway.platforms.platform import FIRST, Diagnosis, class_named, fail, ok, platform_of, warn
from slipway.settings import BadInput, Project, SlipwayError, open_project
from slipway.stack import LiveStack

MACHINE = (
    machine.python,
    machine.ssh_client,
    machine.git,
    machine.build_sandbox,
    machine.disk,
    machine.npm_registry,
)
STACK = (stack.repository, stack.secrets, stack.signing_key)
LIVE = (stack.brought_up, stack.hosts, stack.certificate, stack.lease, stack.holds, stack.ledger)


def examine(stack_name: str, start: Path | None = None) -> list[Diagnosis]:
    """Everything about the machine and, if `start` (default: here) is in a project, about its stack.

    Problems are part of the result; none is raised.
    """
    try:
        project = open_project(stack_name, start)
    except BadInput as problem:
        settings = [fail(line, problem.remedy) for line in problem.details or (problem.message,)]
        return settings + diagnose(None)
    files = f"Pulumi.{stack_name}.yaml and {project.toml.name} are valid"
    return [ok(files), *diagnose(project)]


def diagnose(project: Project | None) -> list[Diagnosis]:
    """What is right and wrong with this machine, and with the stack of `project` if one is given."""
    found = _run(MACHINE, project)
    if project is None:
        return found + _run(class_named(FIRST).machine_examinations())
    found += _run(platform_of(project).examinations())
    found += _run(STACK, project)
    opened = LiveStack(project)
    try:
        _ = opened.outputs
    except SlipwayError as problem:
        return [*found, warn(problem.message, problem.remedy)]
    return found + _run(LIVE, opened)


def _run(checks: Sequence[Callable[..., Iterable[Diagnosis]]], *subject: object) -> list[Diagnosis]:
    with ThreadPoolExecutor(max(len(checks), 1), thread_name_prefix="doctor") as pool:
        running = [pool.submit(_safely, check, *subject) for check in checks]
        return [diagnosis for each in running for diagnosis in each.result()]


def _safely(check: Callable[..., Iterable[Diagnosis]], *subject: object) -> list[Diagnosis]:
    try:
        return list(check(*subject))
    except SlipwayError as problem:
        return [fail(problem.message, problem.remedy)]
    except Exception as accident:
        name = check.__name__.replace("_", " ")
        return [fail(f"{name} could not be examined: {type(accident).__name__}: {accident}", "report this")]
