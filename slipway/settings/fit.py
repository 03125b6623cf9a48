"""Whether an app fits a stack: what it takes from the platform is there, what the stack overrides exists."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from slipway.settings.app import App
from slipway.settings.aws_fit import unfit_on_aws
from slipway.settings.env_value import misfits
from slipway.settings.explain import did_you_mean
from slipway.settings.load import FILE_NAME, toml_lines
from slipway.settings.refs import REFS, why_absent
from slipway.settings.stack import Stack
from slipway.settings.stack_file import stack_path, stack_violation
from slipway.settings.violations import Broken, InvalidSettings, Violation, display_name, dotted
from slipway.settings.yaml_file import read_yaml


def check_fit(app: App, stack: Stack, *, root: Path, app_dir: Path) -> None:
    """Raises InvalidSettings with everything in which `app` and `stack` contradict each other."""
    asked = list(unmet_demands(app, stack))
    given = [*bad_overrides(app, stack), *unfit_on_aws(app, stack)]
    if not asked and not given:
        return
    toml = app_dir / FILE_NAME
    lines, name = toml_lines(toml), display_name(toml)
    file = read_yaml(stack_path(root, stack.name))
    raise InvalidSettings(
        [Violation(name, lines.line(key), dotted(key), problem, remedy) for key, problem, remedy in asked]
        + [stack_violation(file, *each) for each in given]
    )


def unmet_demands(app: App, stack: Stack) -> Iterator[Broken]:
    """What slipway.toml asks of the platform that `stack` does not have."""
    for name, var in app.env.items():
        ref = REFS.get(var.source or "")
        reason = why_absent(ref, stack) if ref else None
        if ref and reason and not var.optional:
            remedy = (
                "use secret = true and `slipway secrets set`"
                if ref.part == "database"
                else f"turn slipway:{ref.part} on, or make the entry optional"
            )
            yield ("env", name, "from"), f'"{var.source}" cannot be given: {reason}', remedy
    if app.on_role("worker") and _workers(stack) == 0:
        first = next(iter(app.on_role("worker")))
        yield (
            ("processes", first),
            f"runs on worker hosts, and stack {stack.name} has none",
            'add a worker host to the stack, or set role = "web"',
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
                "is a secret, which must not stand in a settings file",
                f"remove it here and run `slipway secrets set {name} --stack {stack.name}`",
            )
        elif var.source is not None:
            yield ("env", name), f'comes from the stack\'s outputs ("{var.source}")', "remove it here"
        else:
            yield from ((("env", name), problem, "") for problem in misfits(var, stack.env[name], stack.name))


def _workers(stack: Stack) -> int | None:
    """Number of worker hosts; None where the platform decides."""
    if stack.platform == "local":
        return stack.local.worker
    if stack.platform == "servers":
        return sum(server.role == "worker" for server in stack.servers)
    return None
