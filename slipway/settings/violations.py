"""What is wrong in a settings file: file, line, key, problem and remedy, all of them in one error.

`explain` puts what pydantic found into these words.
"""

import difflib
import json
import re
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from slipway.settings.errors import BadInput
from slipway.settings.schema import PATH_PATTERN, PATTERNS, PLAIN_PATH

KeyPath = tuple[str | int, ...]
"""Place of a value in a file: `("processes", "web", "health")`, `("smoke", "steps", 0)`."""

Broken = tuple[KeyPath, str, str]
"""What a rule found: key path, problem, remedy."""

_BARE_KEY = re.compile(r"^[A-Za-z0-9_:-]+$")
_LONGEST_VALUE = 60


@dataclass(frozen=True, order=True)
class Violation:
    """One thing that is wrong in one place of a file. `line` counts from 1; 0 means the whole file."""

    file: str
    line: int
    key: str
    problem: str
    remedy: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place} {self.key}: {self.problem}" if self.key else f"{place}: {self.problem}"


class InvalidSettings(BadInput):
    """One or more violations. Exit code 2; `violations` has them typed, for reports."""

    def __init__(self, violations: Sequence[Violation]) -> None:
        self.violations = tuple(dict.fromkeys(violations))
        if len(self.violations) == 1:
            only = self.violations[0]
            super().__init__(str(only), remedy=only.remedy)
            return
        files = ", ".join(dict.fromkeys(violation.file for violation in self.violations))
        super().__init__(
            f"{files}: {len(self.violations)} problems",
            details=[f"{v} ({v.remedy})" if v.remedy else str(v) for v in self.violations],
        )

    def __str__(self) -> str:
        return "\n".join([self.message, *self.details])


def dotted(path: KeyPath) -> str:
    """`path` as a person writes it: `smoke.steps[0].request`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
            continue
        written = part if _BARE_KEY.match(part) else json.dumps(part)
        text += f".{written}" if text else written
    return text


def shown(value: object) -> str:
    """`value` as a message shows it: quoted, and shortened if it is long."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 2]}…{text[-1]}"


def display_name(path: Path) -> str:
    """`path` relative to the working directory if it is below it, else in full."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


_KINDS: dict[str, str] = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "string": "text in quotes",
    "list": "a list",
    "dict": "a table",
    "model": "a table",
}
_BOUNDS: dict[str, tuple[str, str]] = {
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("more than", "gt"),
    "less_than_equal": ("at most", "le"),
    "less_than": ("less than", "lt"),
}


def explain(error: ErrorDetails, model: type[BaseModel]) -> tuple[KeyPath, str, str]:
    """Key path, problem and remedy of one pydantic error on data for `model`."""
    path: KeyPath = tuple(part for part in error["loc"] if part != "[key]")
    return path, *_problem(error, path, model)


def _problem(error: ErrorDetails, path: KeyPath, model: type[BaseModel]) -> tuple[str, str]:
    got = "" if _may_be_secret(path) else f", got {shown(error['input'])}"
    context: Mapping[str, Any] = error.get("ctx") or {}
    match error["type"]:
        case "extra_forbidden":
            found = _unknown_key(path, model)
        case "missing":
            found = "is required", f"add {dotted(path[-1:])} to {_table_name(path[:-1])}"
        case "string_pattern_mismatch":
            found = _pattern(str(context["pattern"]), error["input"], got)
        case "literal_error":
            expected = str(context["expected"]).replace("'", '"')
            found = f"must be {expected}{got}", _near(error["input"], _choices(model, path))
        case "string_too_short":
            found = "must not be empty", ""
        case "value_error":
            found = str(context["error"]), ""
        case kind if kind in _BOUNDS:
            words, key = _BOUNDS[kind]
            found = f"must be {words} {context[key]:g}{got}", ""
        case kind:
            wanted = next((words for start, words in _KINDS.items() if kind.startswith(f"{start}_")), None)
            found = (
                (f"must be {wanted}" if wanted else error["msg"][:1].lower() + error["msg"][1:]) + got,
                "",
            )
    return found


def _pattern(pattern: str, value: object, got: str) -> tuple[str, str]:
    if pattern in (PATH_PATTERN, PLAIN_PATH) and _is_blankless(value):
        return f'must start with "/"{got}', f'write "/{value}"'
    problem, remedy = PATTERNS.get(pattern, (f"must match {pattern}", ""))
    return problem + got, remedy


def did_you_mean(given: object, known: list[str]) -> str:
    """`did you mean "x"?` if something similar is known, else the list of what is known."""
    return _near(given, known) or (f"known: {', '.join(known)}" if known else "")


def keys_of(model: type[BaseModel]) -> list[str]:
    """The keys of a table of `model`, as they are written in the file."""
    return [field.alias or name for name, field in model.model_fields.items()]


def model_at(model: type[BaseModel], path: KeyPath) -> type[BaseModel] | None:
    """The model of the table at `path`, or None where there is no table."""
    current: Any = model
    for part in path:
        if isinstance(current, type) and issubclass(current, BaseModel):
            by_key = {field.alias or name: field.annotation for name, field in current.model_fields.items()}
            current = _bare(by_key.get(str(part)))
        elif get_origin(current) in (dict, list):
            current = _bare(get_args(current)[-1])
        else:
            return None
    return cast("type[BaseModel]", current) if _is_model(current) else None


def _near(given: object, known: list[str]) -> str:
    near = difflib.get_close_matches(str(given), known, n=1, cutoff=0.6)
    return f'did you mean "{near[0]}"?' if near else ""


def _may_be_secret(path: KeyPath) -> bool:
    """True in the env contract, where someone may have written a real secret by mistake."""
    return path[:1] == ("env",) and (len(path) == 2 or path[-1] == "value")


def _unknown_key(path: KeyPath, model: type[BaseModel]) -> tuple[str, str]:
    table = model_at(model, path[:-1])
    known = keys_of(table) if table else []
    return "unknown key", did_you_mean(path[-1], known)


def _table_name(path: KeyPath) -> str:
    return f"[{dotted(path)}]" if path else "the top of the file"


def _choices(model: type[BaseModel], path: KeyPath) -> list[str]:
    in_list = isinstance(path[-1], int)
    path = path[:-1] if in_list else path
    table = model_at(model, path[:-1])
    if table is None:
        return []
    for name, field in table.model_fields.items():
        if (field.alias or name) == path[-1]:
            literal = _bare(field.annotation)
            literal = _bare(get_args(literal)[0]) if in_list else literal
            return [str(choice) for choice in get_args(literal)] if get_origin(literal) is Literal else []
    return []


def _bare(annotation: Any) -> Any:
    """`annotation` without Annotated and without None."""
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        members = [member for member in get_args(annotation) if member is not type(None)]
        return _bare(members[0])
    return annotation


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _is_blankless(value: object) -> bool:
    return isinstance(value, str) and value != "" and not any(char.isspace() for char in value)
