"""Reads `slipway.toml`: every violation in it, with file, line, key, value and remedy, in one error."""

from __future__ import annotations

import re
import tomllib
from copy import deepcopy
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from slipway.settings.app import App
from slipway.settings.errors import BadInput
from slipway.settings.explain import explain
from slipway.settings.rules import broken_rules
from slipway.settings.toml_lines import TomlLines
from slipway.settings.violations import Broken, InvalidSettings, Violation, display_name, dotted

FILE_NAME = "slipway.toml"
_POSITION = re.compile(r" \(at (?:line (?P<line>\d+), column \d+|end of document)\)$")


def load_app(path: Path) -> App:
    """The app of the slipway.toml at `path` (the file or its folder).

    Raises BadInput: no such file; InvalidSettings (a BadInput): everything that is wrong in it.
    """
    file = path / FILE_NAME if path.is_dir() else path
    text = _read(file)
    data = _parse(file, text)
    app, wrong = _validate(data)
    if app is not None:
        wrong += broken_rules(app, file.parent)
    if wrong or app is None:
        lines, name = TomlLines(text), display_name(file)
        raise InvalidSettings(
            sorted(Violation(name, lines.line(key), dotted(key), problem, fix) for key, problem, fix in wrong)
        )
    return app


def toml_lines(file: Path) -> TomlLines:
    """Where keys stand in the slipway.toml `file`, for rules that look beyond it."""
    return TomlLines(_read(file))


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise BadInput(
            f"{display_name(file)}: there is no such file",
            remedy=f"write a {FILE_NAME} for the app (docs/slipway-toml.md), or correct slipway:app",
        ) from None
    except (UnicodeDecodeError, OSError) as error:
        raise BadInput(f"{display_name(file)}: cannot be read: {error}") from None


def _parse(file: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise InvalidSettings(
            [Violation(display_name(file), 0, "", "values are nested too deeply")]
        ) from None
    except tomllib.TOMLDecodeError as error:
        found = _POSITION.search(str(error))
        line = int(found["line"] or 0) if found else 0
        problem = f"not valid TOML: {_POSITION.sub('', str(error))}"
        raise InvalidSettings(
            [Violation(display_name(file), line or text.count("\n") + 1, "", problem, _toml_remedy(problem))]
        ) from None


def _toml_remedy(problem: str) -> str:
    if "Invalid value" in problem:
        return "text stands in quotes; true, false and numbers do not"
    if "overwrite" in problem or "declare" in problem:
        return "a key or table may be given only once"
    return ""


def _validate(data: dict[str, Any]) -> tuple[App | None, list[Broken]]:
    """The app if the shape is right but for unknown keys, and what is wrong."""
    try:
        return App.model_validate(data), []
    except ValidationError as error:
        found = error.errors(include_url=False)
    wrong = [explain(each, App) for each in found]
    unknown = [each["loc"] for each in found if each["type"] == "extra_forbidden"]
    if len(unknown) < len(found):
        return None, wrong
    known = deepcopy(data)
    for place in unknown:
        _remove(known, place)
    try:
        return App.model_validate(known), wrong
    except ValidationError:
        return None, wrong


def _remove(data: dict[str, Any], path: tuple[str | int, ...]) -> None:
    table: Any = data
    for part in path[:-1]:
        table = table[part]
    cast("dict[str | int, Any]", table).pop(path[-1], None)
