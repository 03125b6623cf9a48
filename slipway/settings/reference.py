"""Writes docs/slipway-toml.md from the models, so that manual and program always agree.

python -m slipway.settings.reference > docs/slipway-toml.md
"""

import ast
import inspect
import json
import re
import sys
import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, StringConstraints
from pydantic.fields import FieldInfo

from slipway.settings import app, aws, checks, load, stack
from slipway.settings.env import REFS, SCOPES
from slipway.settings.schema import PATTERNS, Lines
from slipway.settings.violations import KeyPath, model_at

TABLES: tuple[tuple[str, KeyPath], ...] = (
    ("[runtime]", ("runtime",)),
    ("[build]", ("build",)),
    ("[build.deps]", ("build", "deps")),
    ("[preflight]", ("preflight",)),
    ("[processes.NAME]", ("processes", "NAME")),
    ("[cron.NAME]", ("cron", "NAME")),
    ("[migrate]", ("migrate",)),
    ("[env]", ("env", "NAME")),
    ("[limits]", ("limits",)),
    ("[websocket]", ("websocket",)),
    ("[smoke]", ("smoke",)),
    ("[[smoke.steps]]", ("smoke", "steps", 0)),
    ("[observe]", ("observe",)),
    ("[load]", ("load",)),
    ("[load.profiles.NAME]", ("load", "profiles", "NAME")),
    ("[[load.thresholds]]", ("load", "thresholds", 0)),
    ("[checks]", ("checks",)),
    ("[checks.websocket]", ("checks", "websocket")),
    ("[checks.write]", ("checks", "write")),
    ("[checks.webhook]", ("checks", "webhook")),
    ("[checks.upload]", ("checks", "upload")),
    ("[checks.metrics]", ("checks", "metrics")),
    ("[retire]", ("retire",)),
    ("[preview]", ("preview",)),
)
"""The tables of slipway.toml in the order a reader wants them."""

STACK_TABLES: tuple[tuple[str, type[BaseModel]], ...] = (
    ("slipway:local", stack.LocalFleet),
    ("slipway:servers", stack.Server),
    ("slipway:acme", stack.Acme),
    ("slipway:retention", stack.Retention),
    ("slipway:prove", stack.Prove),
    ("slipway:aws", aws.Aws),
    ("slipway:aws.network", aws.Network),
    ("slipway:aws.web, slipway:aws.worker", aws.Group),
    ("slipway:aws.load_balancer", aws.LoadBalancer),
    ("slipway:aws.database", aws.Database),
    ("slipway:aws.cache", aws.Cache),
    ("slipway:aws.buckets", aws.Buckets),
    ("slipway:aws.alerts", aws.Alerts),
    ("slipway:aws.github", aws.GitHub),
    ("slipway:aws.mail", aws.Mail),
    ("slipway:aws.budget", aws.Budget),
    ("slipway:cloudflare", aws.Cloudflare),
)
"""The tables of a stack's settings."""

_NAMES: dict[Any, str] = {str: "text", int: "whole number", float: "number", bool: "true or false"}
_PLURALS: dict[Any, str] = {str: "texts", Lines: "texts", int: "whole numbers"}

_OPENING = """\
# slipway.toml

<!-- Made from the models by `python -m slipway.settings.reference`; change those. -->

What slipway needs to know about an app to ship it. The file is in the app's folder, which the stack names by
`slipway:app`. Unknown keys and contradictions are refused, all at once, with file, line, key and remedy:

```
slipway.toml:41 processes.web.health: must start with "/", got "health" (write "/health")
```

The smallest file:

```toml
name = "board"
runtime = { name = "bun", version = "1.4.5" }

[processes.web]
command = "bun run src/web.ts"
```
"""

_ENV = """\
An entry is written `NAME = {{ … }}`. Hosts add PORT and HOST for the process `web`, and SLIPWAY_RELEASE,
SLIPWAY_BUILD, SLIPWAY_HOST and SLIPWAY_SLOT for every process; these may not be declared.

Who gets an entry: without `scope`, every process, one-off tasks and cron commands; plain values reach
migrations too, credentials only where `scope` names them. With `scope`, exactly the processes that it names,
and those of {scopes} that it names. Smoke steps and the meter use scope `smoke`.

`from` takes one of these. An entry whose output the stack does not have is refused unless it is optional:

| output | part of the platform | holds a credential |
|---|---|---|
{refs}
"""

_STACK = """\
## The stack: `slipway:` keys in Pulumi.NAME.yaml

`pulumi` reads the same file; slipway ignores keys of other namespaces (`aws:region`).
"""


def render() -> str:
    words = {
        key: text
        for module in (app, load, checks, stack, aws)
        for key, text in _attribute_docs(module).items()
    }
    parts = [_OPENING, "## Top of the file\n", _table(app.App, words, skip_tables=True)]
    for heading, path in TABLES:
        model = model_at(app.App, path)
        if model is None:
            raise LookupError(heading)
        parts += [f"## {heading}\n", f"{_sentence(model)}\n"]
        if heading == "[env]":
            parts.append(_env())
        parts.append(_table(model, words))
    parts += [_STACK, _table(stack.Stack, words, prefix="slipway:", skip=("name", "project"))]
    for heading, model in STACK_TABLES:
        parts += [f"### {heading}\n", f"{_sentence(model)}\n", _table(model, words)]
    return "\n".join(parts)


def _env() -> str:
    scopes = ", ".join(f"`{scope}`" for scope in SCOPES)
    refs = (f"| `{name}` | {ref.part} | {'yes' if ref.secret else ''} |" for name, ref in REFS.items())
    return _ENV.format(scopes=scopes, refs="\n".join(refs))


def _table(
    model: type[BaseModel],
    words: dict[tuple[str, str], str],
    *,
    prefix: str = "",
    skip: tuple[str, ...] = (),
    skip_tables: bool = False,
) -> str:
    rows = ["| key | value | default | meaning |", "|---|---|---|---|"]
    for name, field in model.model_fields.items():
        if name in skip or (skip_tables and _is_table(field.annotation)):
            continue
        cells = [
            f"`{prefix}{field.alias or name}`",
            _kind(field),
            _default(field),
            words.get((model.__name__, name), ""),
        ]
        rows.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    return "\n".join(rows) + "\n"


def _kind(field: FieldInfo) -> str:
    bounds: list[str] = []
    for rule in field.metadata:
        for attribute, sign in (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<")):
            if (limit := getattr(rule, attribute, None)) is not None:
                bounds.append(f"{sign} {limit:g}")
    patterns = [str(rule.pattern) for rule in field.metadata if getattr(rule, "pattern", None)]
    text = [_pattern(pattern) for pattern in patterns] or [_type(field.annotation)]
    return ", ".join([*text, *bounds])


def _type(annotation: Any) -> str:
    members = get_args(annotation)
    match get_origin(annotation):
        case origin if origin is Annotated:
            rule = next((each for each in members[1:] if isinstance(each, StringConstraints)), None)
            text = _pattern(str(rule.pattern)) if rule and rule.pattern else _type(members[0])
        case origin if origin in (Union, types.UnionType):
            text = " or ".join(dict.fromkeys(_type(each) for each in members if each is not type(None)))
        case origin if origin is Literal:
            text = " or ".join(f"`{json.dumps(each)}`" for each in members)
        case origin if origin is tuple:
            text = f"{_type(members[0])}, or a list of them"
        case origin if origin is list:
            text = f"list of {_PLURALS.get(members[0], _type(members[0]))}"
        case origin if origin is dict:
            text = f"table of {_PLURALS.get(members[1], _type(members[1]))}"
        case _:
            text = "table" if _is_table(annotation) else _NAMES.get(annotation, "anything")
    return text


def _pattern(pattern: str) -> str:
    problem, _ = PATTERNS.get(pattern, (f"must match `{pattern}`", ""))
    return (
        problem.removeprefix("must be ")
        .replace("must start", "text that starts")
        .replace(" contain ", " contains ")
    )


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is None or value in ("", [], {}) or isinstance(value, BaseModel):
        return ""
    return f"`{json.dumps(value)}`"


def _is_table(annotation: Any) -> bool:
    if get_origin(annotation) in (Union, types.UnionType, Annotated, dict):
        return any(_is_table(each) for each in get_args(annotation))
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _sentence(model: type[BaseModel]) -> str:
    return re.sub(r"\s+", " ", inspect.getdoc(model) or "")


def _attribute_docs(module: types.ModuleType) -> dict[tuple[str, str], str]:
    """The text under each attribute, by class and attribute."""
    return {
        (body.name, name): re.sub(r"\s+", " ", text)
        for body in ast.parse(inspect.getsource(module)).body
        if isinstance(body, ast.ClassDef)
        for name, text in _documented(body)
    }


def _documented(body: ast.ClassDef) -> Iterator[tuple[str, str]]:
    above = ""
    for statement in body.body:
        match statement:
            case ast.AnnAssign(target=ast.Name(id=name)):
                above = name
            case ast.Expr(value=ast.Constant(value=str() as text)) if above:
                yield above, text.strip()
                above = ""
            case _:
                above = ""


if __name__ == "__main__":
    sys.stdout.write(render())
