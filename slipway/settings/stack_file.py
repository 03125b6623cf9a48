"""Reads a stack's settings from `Pulumi.yaml` and `Pulumi.<stack>.yaml`; errors name file and line."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import yaml
from pydantic import ValidationError

from slipway.settings.errors import BadInput
from slipway.settings.schema import NAME_PATTERN, PATTERNS
from slipway.settings.stack import Stack
from slipway.settings.stack_rules import broken_stack_rules
from slipway.settings.violations import (
    Broken,
    InvalidSettings,
    KeyPath,
    Violation,
    did_you_mean,
    display_name,
    dotted,
    explain,
    keys_of,
)

PROJECT_FILE = "Pulumi.yaml"
STATE_FOLDER = ".slipway"
"""Beside Pulumi.yaml: what the operator's side keeps for each stack; not committed."""
OUTPUTS_FILE = "outputs.json"
"""In a stack\'s state folder: the outputs of a local fleet, written by `slipway up`."""
NAMESPACE = "slipway:"
_STACK_NAME = re.compile(NAME_PATTERN)
_GIVEN_BY_FILES = {"name", "project"}


def find_root(start: Path) -> Path:
    """The nearest folder at or above `start` that has a Pulumi.yaml. Raises BadInput if there is none."""
    for folder in (start.resolve(), *start.resolve().parents):
        if (folder / PROJECT_FILE).is_file():
            return folder
    raise BadInput(
        f"no {PROJECT_FILE} in {start.resolve()} or above it",
        remedy="run slipway inside a project, or make this repository one: slipway init",
    )


def stack_names(root: Path) -> list[str]:
    """The stacks of the project at `root`, by their files."""
    return sorted(
        path.name.removeprefix("Pulumi.").removesuffix(".yaml") for path in root.glob("Pulumi.*.yaml")
    )


def load_stack(root: Path, name: str) -> Stack:
    """The stack `name` of the project at `root`.

    Raises BadInput: unknown stack (naming those that exist); InvalidSettings: everything that is wrong in it.
    """
    path = stack_path(root, name)
    project = _project_name(root)
    file = read_yaml(path)
    settings, wrong = _settings(file)
    stack: Stack | None = None
    try:
        stack = Stack.model_validate({**settings, "name": name, "project": project})
    except ValidationError as error:
        wrong += [explain(each, Stack) for each in error.errors(include_url=False)]
    if stack is not None:
        wrong += broken_stack_rules(stack)
    if wrong or stack is None:
        raise InvalidSettings(sorted(stack_violation(file, *each) for each in wrong))
    return stack


def stack_path(root: Path, name: str) -> Path:
    """The file of stack `name`. Raises BadInput, naming the stacks that exist, if there is none."""
    path = root / f"Pulumi.{name}.yaml"
    if _STACK_NAME.match(name) and path.is_file():
        return path
    known = stack_names(root)
    near = difflib.get_close_matches(name, known, n=1)
    there = f"stacks here: {', '.join(known)}" if known else "there are no stacks yet"
    raise BadInput(
        f'there is no stack "{name}" in {display_name(root) or root}',
        remedy=f'did you mean "{near[0]}"? {there}'
        if near
        else f"{there}; a new one is a file Pulumi.{name}.yaml",
    )


def stack_violation(file: YamlFile, path: KeyPath, problem: str, remedy: str) -> Violation:
    """A violation at `path` of the Stack model, placed in its file under `config:`."""
    if not path:
        return Violation(file.name, file.line(("config",)), "", problem, remedy)
    place: KeyPath = ("config", f"{NAMESPACE}{path[0]}", *path[1:])
    return Violation(file.name, file.line(place), f"{NAMESPACE}{dotted(path)}", problem, remedy)


def add_setting(path: Path, keys: tuple[str, ...], value: str) -> bool:
    """Add the setting `slipway:` + `keys` to a stack's file, as YAML; every other byte stays.

    False, and nothing is written: it is there already, or the file's style leaves no line for it.
    """
    text = path.read_text(encoding="utf-8")
    wanted = ["config", f"{NAMESPACE}{keys[0]}", *keys[1:]]
    node, line, column = yaml.compose(text, Loader=yaml.SafeLoader), 0, 0
    while isinstance(node, yaml.MappingNode) and not node.flow_style and node.value and wanted:
        pairs = cast("list[tuple[yaml.ScalarNode, yaml.Node]]", node.value)
        column = pairs[0][0].start_mark.column
        found = next((pair for pair in pairs if pair[0].value == wanted[0]), None)
        if found is None:
            break
        # The line after its name: comments there are about the first key below.
        line, node = found[0].start_mark.line + 1, found[1]
        wanted.pop(0)
    else:
        return False
    names = [f"{' ' * (column + 2 * depth)}{name}:" for depth, name in enumerate(wanted)]
    lines = text.splitlines(keepends=True)
    lines[line:line] = ["\n".join(names) + f" {value}\n"]
    path.write_text("".join(lines), encoding="utf-8")
    return True


def _project_name(root: Path) -> str:
    file = read_yaml(root / PROJECT_FILE)
    name: object = file.data.get("name")
    if not isinstance(name, str) or not _STACK_NAME.match(name):
        raise InvalidSettings(
            [
                Violation(
                    file.name,
                    file.line(("name",)),
                    "name",
                    PATTERNS[NAME_PATTERN][0],
                    "hosts and buckets are named after it",
                )
            ]
        )
    return name


def _settings(file: YamlFile) -> tuple[dict[str, Any], list[Broken]]:
    """The `slipway:` keys without their namespace, and those that cannot be."""
    config: object = file.data.get("config") or {}
    if not isinstance(config, dict):
        return {}, [((), "config must be a mapping of keys to values", "")]
    settings: dict[str, Any] = {}
    wrong: list[Broken] = []
    known = [key for key in keys_of(Stack) if key not in _GIVEN_BY_FILES]
    for written, value in cast("dict[object, Any]", config).items():
        namespace, _, key = str(written).rpartition(":")
        if namespace and f"{namespace}:" != NAMESPACE:
            continue  # other providers' settings (aws:region, …) are theirs
        if not namespace:
            if key in known:
                wrong.append(((), f'"{key}" has no namespace', f'write "{NAMESPACE}{key}"'))
        elif key not in known:
            wrong.append(((key,), "unknown key", did_you_mean(key, known)))
        elif isinstance(value, dict) and "secure" in value:
            wrong.append(((key,), "must not be a Pulumi secret", "secrets come by `slipway secrets set`"))
        else:
            settings[key] = value
    return settings, wrong


@dataclass
class YamlFile:
    """`data` of a YAML mapping, and where its keys stand."""

    name: str
    data: dict[str, Any]
    lines: dict[KeyPath, int] = field(default_factory=dict[KeyPath, int])

    def line(self, path: KeyPath) -> int:
        """The line of `path`, or of its nearest parent that is in the file; 0 if none is."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return 0


def read_yaml(path: Path) -> YamlFile:
    """The mapping in `path`. Raises BadInput for syntax, a key given twice, and anything but a mapping."""
    name = display_name(path)
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        data: object = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise InvalidSettings([Violation(name, line, "", f"not valid YAML: {error.problem}")]) from None
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise BadInput(f"{name}: cannot be read: {error}") from None
    if data is None:
        return YamlFile(name, {})
    if not isinstance(data, dict):
        raise InvalidSettings([Violation(name, 1, "", "must be a mapping of keys to values")])
    file = YamlFile(name, cast("dict[str, Any]", data))
    twice: list[Violation] = []
    _note(node, (), file, twice)
    if twice:
        raise InvalidSettings(twice)
    return file


def _note(node: yaml.Node | None, path: KeyPath, file: YamlFile, twice: list[Violation]) -> None:
    if isinstance(node, yaml.MappingNode):
        pairs = cast("list[tuple[yaml.Node, yaml.Node]]", node.value)
        for key, value in pairs:
            place = (*path, str(cast("object", key.value)))
            line = key.start_mark.line + 1
            if place in file.lines:
                twice.append(Violation(file.name, line, dotted(place), "is given twice"))
            file.lines[place] = line
            _note(value, place, file, twice)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(cast("list[yaml.Node]", node.value)):
            file.lines[(*path, index)] = item.start_mark.line + 1
            _note(item, (*path, index), file, twice)
