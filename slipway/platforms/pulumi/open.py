"""A stack opened in the engine, and the engine run: its folder, its command line, a preview.

Never changes which stack a bare `pulumi` acts on.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import yaml
from pulumi.automation import (
    CommandError,
    CommandResult,
    ConcurrentUpdateError,
    LocalWorkspace,
    OnOutput,
    PulumiCommand,
    Stack,
)
from pulumi.automation.errors import InvalidVersionError, StackNotFoundError, create_command_error
from pulumi.automation.events import EngineEvent

from slipway.platforms.pulumi.failures import explain
from slipway.platforms.pulumi.plan import Plan, read_steps, unread
from slipway.progress import Progress
from slipway.settings import BadInput, NeedsPerson, Project


def open_stack(project: Project, progress: Progress, *, make: bool) -> Stack:
    """The project's stack; made if it is new and `make`. BadInput: no backend, passphrase or stack."""
    name = project.stack.name
    try:
        workspace = open_workspace(project, progress)
    except InvalidVersionError as error:
        raise BadInput(f"the Pulumi CLI does not fit: {error}", remedy="install a newer one") from None
    with explained(f"opening stack {name}"):
        try:
            return Stack.select(name, workspace)
        except StackNotFoundError:
            if not make:
                raise BadInput(
                    f"the engine's backend holds no stack {name} of {project.stack.project}",
                    remedy=f"`slipway up --stack {name}` makes it; or check PULUMI_BACKEND_URL",
                ) from None
        progress.line(f"stack {name} is new: made in the engine's backend")
        return Stack.create(name, workspace)


@contextmanager
def explained(doing: str, *, locks_too: bool = True) -> Generator[None]:
    """Failures of the CLI inside become slipway's: message, remedy, exit code.

    Unless `locks_too`, ConcurrentUpdateError passes, for a caller who can do something about it.
    """
    try:
        yield
    except CommandError as error:
        if isinstance(error, ConcurrentUpdateError) and not locks_too:
            raise
        raise explain(str(error), doing=doing) from None


def outputs_of(stack: Stack) -> dict[str, Any]:
    """The stack outputs; what the engine holds to be secret is left out, as no output of ours is."""
    return {name: output.value for name, output in stack.outputs().items() if not output.secret}


def preview(project: Project, stack: Stack, progress: Progress, file: Path) -> Plan:
    """The plan of an update, against the cloud as it is now; the engine's own record of it goes to `file`."""
    events: list[EngineEvent] = []
    with progress.phase("preview"), explained("the preview"):
        file.parent.mkdir(parents=True, exist_ok=True)
        # The API swallows what a callback raises, so this one only collects.
        result = stack.preview(refresh=True, plan=str(file), on_event=events.append, color="never")
        file.chmod(0o600)
    steps = read_steps(events)
    # Plain texts, whatever the API says they are.
    odd = unread(steps, {str.__str__(op): number for op, number in result.change_summary.items()})
    if odd:
        raise NeedsPerson(
            f"the engine's preview could not be read in full ({', '.join(odd)}), so nothing was done",
            remedy="use a Pulumi CLI and a Python package pulumi of about the same version",
        )
    plan = Plan(project.stack.project, project.stack.name, steps, file)
    progress.line(plan.summary)
    for step in plan.changes:
        if step.logical and not step.is_default_provider:
            progress.line(f"{step.op} {step.type} {step.name}{_why(step.diffs)}")
    return plan


def _why(diffs: tuple[str, ...]) -> str:
    return f" ({', '.join(diffs)})" if diffs else ""


class Workspace(LocalWorkspace):
    """`select` in the API's own workspace makes prod the target of the next bare `pulumi destroy`."""

    def select_stack(self, stack_name: str) -> None:
        """Raises CommandError if there is no such stack."""
        self.pulumi_command.run(
            ["stack", "--show-name", "--stack", stack_name], self.work_dir, {**self.env_vars}
        )

    def create_stack(self, stack_name: str) -> None:
        """The stack's file may name a key in place of a passphrase (`slipway bootstrap` writes it)."""
        # Not by the API's `stack_settings`: it takes each setting for text, and `allow_dirty: false` ends it.
        file = Path(self.work_dir, f"Pulumi.{stack_name}.yaml")
        settings: dict[str, Any] | None = yaml.safe_load(file.read_text("utf-8")) if file.is_file() else None
        named = str((settings or {}).get("secretsprovider") or "")
        provider = ["--secrets-provider", named] if named else []
        self.pulumi_command.run(
            ["stack", "init", stack_name, "--no-select", *provider], self.work_dir, {**self.env_vars}
        )


def open_workspace(project: Project, progress: Progress) -> Workspace:
    """The workspace of `project`. InvalidVersionError: the CLI is too old or too new."""
    return Workspace(
        work_dir=str(project.root),
        pulumi_command=Cli(progress),
        # The program runs on the Python that slipway runs on, unless Pulumi.yaml names an environment.
        env_vars={"PULUMI_SKIP_UPDATE_CHECK": "true", "PULUMI_PYTHON_CMD": sys.executable},
    )


ORDERLY_SECONDS = 600
"""How long steps that have begun may take to end after the first Ctrl-C: a database takes its minutes."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C while the engine worked; `killed` is its process, if it did not end by itself."""

    def __init__(self, killed: int | None) -> None:
        super().__init__()
        self.killed = killed


class Cli(PulumiCommand):
    """`pulumi` as the Automation API calls it, in a session that the terminal's Ctrl-C does not reach."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self._progress = progress

    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: OnOutput | None = None,
        on_error: OnOutput | None = None,
    ) -> CommandResult:
        """Run one command to its end. CommandError: it failed; Interrupted: Ctrl-C."""
        env = {**os.environ, **additional_env, "PULUMI_AUTOMATION_API": "true"}
        with subprocess.Popen(
            [self.command, "--non-interactive", *args],
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            start_new_session=True,
        ) as process:
            out, out_reader = _gather(process.stdout, on_output)
            err, err_reader = _gather(process.stderr, on_error)
            code = self._wait(process)
            for reader in (out_reader, err_reader):
                reader.join()
        result = CommandResult(stdout="\n".join(out), stderr="\n".join(err), code=code)
        if code != 0:
            raise create_command_error(result)
        return result

    def _wait(self, process: subprocess.Popen[str]) -> int:
        try:
            return process.wait()
        except KeyboardInterrupt:
            self._progress.line("stopping: what has begun is finished first; Ctrl-C again kills the engine")
            os.kill(process.pid, signal.SIGINT)
        try:
            process.wait(ORDERLY_SECONDS)
        except (KeyboardInterrupt, subprocess.TimeoutExpired):
            kill_session(process.pid)
            process.wait()
            raise Interrupted(process.pid) from None
        raise Interrupted(None)


def kill_session(leader: int) -> None:
    """The engine and its plugins, which have process groups of their own and outlive it otherwise."""
    for member in in_session(leader):
        with suppress(ProcessLookupError):
            os.kill(member, signal.SIGKILL)


def in_session(leader: int) -> list[int]:
    """The processes of the session that `leader` began, itself too if it runs."""
    found: set[int] = set()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError, IndexError):
            state, *fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(fields[2]) == leader and state not in "ZX":
                found.add(int(folder.name))
    with suppress(ProcessLookupError):
        os.kill(leader, 0)
        found.add(leader)
    return sorted(found)


def _gather(
    stream: IO[str] | None, each_line: Callable[[str], object] | None
) -> tuple[list[str], threading.Thread]:
    """Lines of `stream` as they come, in a list that grows until the thread ends."""
    lines: list[str] = []

    def read() -> None:
        for line in stream or ():
            lines.append(line.rstrip())
            if each_line:
                each_line(lines[-1])

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return lines, thread
