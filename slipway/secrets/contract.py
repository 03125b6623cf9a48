"""The env contract at work: generate secrets, compose the envs, version them, write .env.example."""

import base64
import hashlib
import hmac
import json
import re
import secrets as randomness
import textwrap
from collections.abc import Collection, Iterable, Mapping
from urllib.parse import quote

from slipway.secrets.check import weaknesses
from slipway.settings import (
    REFS,
    App,
    BadInput,
    EnvVar,
    Outputs,
    Stack,
    known_scopes,
    misfits,
    reaches,
    why_absent,
)

_PLACEHOLDER = re.compile(r"\$\{secret:([A-Z][A-Z0-9_]*)\}")


class _Unset(Exception):
    """This variable has no value; the text says why, the remedy what to do."""

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
        whole = wrong[0] if len(wrong) == 1 else f"{len(wrong)} variables of {scope} are missing or invalid"
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
        raise _Unset(f'"{source}" is not available: {reason}')
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


def config_version(app: App, stack: Stack, outputs: Outputs, secrets: Mapping[str, str]) -> str:
    """12 hex digits over the env of every scope: they change when any value does, and reveal none.

    Raises BadInput as `compose` does.

    It stands in the ledger for all to read, so it is an HMAC whose key is made of all the secrets together:
    guessing one value from it would need all the others.
    """
    content = {scope: compose(app, stack, outputs, secrets, scope) for scope in known_scopes(app)}
    used = [value for env in content.values() for name, value in env.items() if _is_secret(app, name)]
    key = hashlib.sha256(json.dumps(sorted(used)).encode()).digest()
    return hmac.new(key, json.dumps(content, sort_keys=True).encode(), hashlib.sha256).hexdigest()[:12]


def _is_secret(app: App, name: str) -> bool:
    return app.env[name].secret or app.env[name].source is not None


_TRIES = 200


def generate(app: App, present: Collection[str] = (), *, rotate: Iterable[str] = ()) -> dict[str, str]:
    """New values for the entries of `app` that have `generate` and are not in `present`.

    `rotate` names entries to generate again. Raises BadInput for one that the contract cannot generate.
    """
    forms = {name: var.generate for name, var in app.env.items() if var.secret and var.generate}
    again = list(rotate)
    for name in again:
        if name not in forms:
            known = ", ".join(sorted(forms)) or "none"
            raise BadInput(f"{name} cannot be generated", remedy=f"entries with generate: {known}")
    return {
        name: _strong(name, form, app.env[name])
        for name, form in forms.items()
        if name in again or name not in present
    }


def random_value(form: str) -> str:
    """A new value of `base64:<bytes>` or `hex:<bytes>`."""
    kind, _, size = form.partition(":")
    raw = randomness.token_bytes(int(size))
    return raw.hex() if kind == "hex" else base64.b64encode(raw).decode()


def _strong(name: str, form: str, var: EnvVar) -> str:
    for _ in range(_TRIES):  # by chance, one in a great many is taken for a development value
        value = random_value(form)
        if not weaknesses(value) and not any(misfits(var, value)):
            return value
    raise BadInput(
        f"env.{name}: nothing that {form} makes fits the entry's own rules",
        remedy="change its pattern, or remove generate and set it yourself",
    )


_WIDTH = 100


def env_example(app: App) -> str:
    """The text of `.env.example`. Settings stand with their value; secrets and outputs are left empty."""
    blocks = [
        f"# Environment of {app.name}, made from [env] of slipway.toml. "
        "Copy to .env for development; never commit that."
    ]
    for name, var in app.env.items():
        lines = [f"# {line}" for line in textwrap.wrap(_describe(var), _WIDTH - 2)]
        value = var.value if var.value is not None and not var.secret else ""
        blocks.append("\n".join([*lines, f"{name}={_quoted(value)}"]))
    return "\n\n".join(blocks) + "\n"


def _describe(var: EnvVar) -> str:
    sentences = [f"{var.describe.rstrip('.')}."] if var.describe else []
    if var.secret:
        sentences.append("Secret.")
    if var.source:
        sentences.append(f"On a stack: {var.source}.")
    if var.kind != "string":
        sentences.append(f"Form: {var.kind}.")
    if var.min_length:
        sentences.append(f"At least {var.min_length} characters.")
    if var.client:
        sentences.append("Browsers see it.")
    if var.optional:
        sentences.append("Optional.")
    return " ".join(sentences)


def _quoted(value: str) -> str:
    if value and not all(char.isalnum() or char in "_-./:@,+=%" for char in value):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    return value
