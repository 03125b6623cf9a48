"""A project opened for one stack: its folders, its app, its stack, and whether the two fit."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from slipway.settings.app import App
from slipway.settings.app_file import FILE_NAME, load_app, toml_lines
from slipway.settings.env import REFS, misfits, why_absent
from slipway.settings.stack import Stack
from slipway.settings.stack_file import (
    STATE_FOLDER,
    find_root,
    load_stack,
    read_yaml,
    stack_path,
    stack_violation,
)
from slipway.settings.violations import Broken, InvalidSettings, Violation, did_you_mean, display_name, dotted


@dataclass(frozen=True)
class Project:
    """One stack of one project, and its app."""

    root: Path
    """Folder of Pulumi.yaml."""
    stack: Stack
    app: App
    app_dir: Path
    """Folder of slipway.toml."""
    state_dir: Path
    """What the operator's side keeps for this stack (ssh_config, CA, outputs); not committed."""

    @property
    def toml(self) -> Path:
        return self.app_dir / FILE_NAME

    @property
    def context(self) -> Path:
        """The folder a build is made from."""
        return (self.app_dir / self.app.build.context).resolve()

    @property
    def fleet_id(self) -> str:
        """Tells this fleet from all others on one machine and in one account: `board-local`."""
        return self.stack.fleet_id

    def on_stack(self, name: str) -> "Project":
        """This app on the project's stack `name`. BadInput: its settings cannot be read."""
        stack, state_dir = load_stack(self.root, name), self.state_dir.parent / name
        return replace(self, stack=stack, state_dir=state_dir)


def open_project(stack_name: str, start: Path | None = None) -> Project:
    """The project around `start` (default: the working directory) with stack `stack_name`.

    Raises BadInput: no project, no such stack, or anything wrong in Pulumi.<stack>.yaml or slipway.toml,
    each alone or the two together.
    """
    root = find_root(start or Path.cwd())
    stack = load_stack(root, stack_name)
    app_dir = (root / stack.app).resolve()
    app = load_app(app_dir / FILE_NAME)
    check_fit(app, stack, root=root, app_dir=app_dir)
    state_dir = root / STATE_FOLDER / stack_name
    return Project(root=root, stack=stack, app=app, app_dir=app_dir, state_dir=state_dir)


def check_fit(app: App, stack: Stack, *, root: Path, app_dir: Path) -> None:
    """Raises InvalidSettings with everything in which `app` and `stack` contradict each other."""
    unmet = list(unmet_demands(app, stack))
    wrong = list(bad_overrides(app, stack))
    if stack.aws is not None:
        from slipway.settings.aws_fit import unfit_on_aws  # noqa: PLC0415 - slow, and for AWS only

        wrong += unfit_on_aws(app, stack)
    if not unmet and not wrong:
        return
    toml = app_dir / FILE_NAME
    lines, name = toml_lines(toml), display_name(toml)
    file = read_yaml(stack_path(root, stack.name))
    raise InvalidSettings(
        [Violation(name, lines.line(key), dotted(key), problem, remedy) for key, problem, remedy in unmet]
        + [stack_violation(file, *each) for each in wrong]
    )


def unmet_demands(app: App, stack: Stack) -> Iterator[Broken]:
    """What slipway.toml requires that `stack` does not have."""
    for name, var in app.env.items():
        ref = REFS.get(var.source or "")
        reason = why_absent(ref, stack) if ref else None
        if ref and reason and not var.optional:
            remedy = (
                "use secret = true and `slipway secrets set`"
                if ref.part == "database"
                else f"turn slipway:{ref.part} on, or make the entry optional"
            )
            yield ("env", name, "from"), f'"{var.source}" is not available: {reason}', remedy
    if app.on_role("worker") and _workers(stack) == 0:
        first = next(iter(app.on_role("worker")))
        yield (
            ("processes", first),
            f"runs on worker hosts, and stack {stack.name} has none",
            'give a host of the stack the role worker, or set role = "web"',
        )


def bad_overrides(app: App, stack: Stack) -> Iterator[Broken]:
    """`slipway:env` entries that override nothing that may be overridden."""
    open_names = [name for name, var in app.env.items() if not var.secret and var.source is None]
    for name in stack.env:
        var = app.env.get(name)
        if var is None:
            yield ("env", name), "is not in the app's env contract", did_you_mean(name, open_names)
        elif var.secret:
            yield (
                ("env", name),
                "is a secret, which does not belong in a settings file",
                f"remove it here and run `slipway secrets set {name} --stack {stack.name}`",
            )
        elif var.source is not None:
            yield ("env", name), f'comes from the stack\'s outputs ("{var.source}")', "remove it here"
        else:
            yield from ((("env", name), problem, "") for problem in misfits(var, stack.env[name], stack.name))


def _workers(stack: Stack) -> int | None:
    """Number of worker hosts; None where the platform decides."""
    if "local" in stack.facts.sections:
        return 1 if stack.local.one_host else stack.local.worker
    if "servers" in stack.facts.sections:
        return sum("worker" in server.roles for server in stack.servers)
    return None
