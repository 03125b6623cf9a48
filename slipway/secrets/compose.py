"""Makes the env of a process, a task, a migration, the cron entries or the smoke test."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote

from slipway.settings.app import App, EnvVar
from slipway.settings.env_scope import known_scopes, reaches
from slipway.settings.env_value import misfits
from slipway.settings.errors import BadInput
from slipway.settings.outputs import Outputs
from slipway.settings.refs import REFS, why_absent
from slipway.settings.stack import Stack

_PLACEHOLDER = re.compile(r"\$\{secret:([A-Z][A-Z0-9_]*)\}")


class _Unset(Exception):
    """Nothing gives this variable; the text says why, the remedy what to do."""

    def __init__(self, why: str, remedy: str = "") -> None:
        super().__init__(why)
        self.remedy = remedy


def compose(
    app: App, stack: Stack, outputs: Outputs, secrets: Mapping[str, str], scope: str
) -> dict[str, str]:
    """The variables of `scope` (a process' name, migrate, task, cron or smoke) and their values, by name.

    What the host adds itself (PORT, HOST, SLIPWAY_*) is not in it. Raises BadInput that names every variable
    which has no value or a wrong one, and never a value.
    """
    if scope not in known_scopes(app):
        raise BadInput(f'there is no scope "{scope}"', remedy=f"scopes: {', '.join(known_scopes(app))}")
    env: dict[str, str] = {}
    wrong: list[str] = []
    remedy = ""
    for name, var in sorted(app.env.items()):
        if not reaches(var, scope):
            continue
        try:
            env[name] = _value(name, var, stack, outputs, secrets)
        except _Unset as unset:
            if not var.optional:
                wrong.append(f"env.{name}: {unset}")
                remedy = remedy or unset.remedy
        else:
            wrong.extend(f"env.{name}: {problem}" for problem in misfits(var, env[name], stack.name))
    if wrong:
        whole = wrong[0] if len(wrong) == 1 else f"{len(wrong)} variables of {scope} cannot be given"
        raise BadInput(whole, remedy=remedy, details=wrong if len(wrong) > 1 else ())
    return env


def _value(name: str, var: EnvVar, stack: Stack, outputs: Outputs, secrets: Mapping[str, str]) -> str:
    if var.secret:
        if not secrets.get(name):
            raise _Unset(
                "the secret is missing",
                f"slipway secrets {'generate' if var.generate else f'set {name}'} --stack {stack.name}",
            )
        return secrets[name]
    if var.source is not None:
        return _output(var.source, stack, outputs, secrets)
    value = stack.env.get(name, var.value)
    if value is None:
        raise _Unset("has no value", f"give it by slipway:env in Pulumi.{stack.name}.yaml")
    return value


def _output(source: str, stack: Stack, outputs: Outputs, secrets: Mapping[str, str]) -> str:
    ref = REFS.get(source)
    if ref is None:
        raise _Unset(f'"{source}" is no output', f"outputs: {', '.join(REFS)}")
    if reason := why_absent(ref, stack):
        raise _Unset(f'"{source}" cannot be given: {reason}')
    template = ref.read(outputs)
    if not template:
        raise _Unset(f'the stack\'s outputs hold no "{source}"', f"run `slipway up --stack {stack.name}`")
    return fill_secrets(template, secrets, stack.name)


def fill_secrets(template: str, secrets: Mapping[str, str], stack_name: str) -> str:
    """`template` with each `${secret:NAME}` filled in; inside a URL, the value is percent-encoded."""
    is_url = "://" in template

    def fill(match: re.Match[str]) -> str:
        value = secrets.get(match[1])
        if not value:
            raise _Unset(f"needs the secret {match[1]}, which is missing", f"slipway up --stack {stack_name}")
        return quote(value, safe="") if is_url else value

    return _PLACEHOLDER.sub(fill, template)
