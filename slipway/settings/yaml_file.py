"""A YAML file with the line of every key, so that an error can point at it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import yaml

from slipway.settings.errors import BadInput
from slipway.settings.violations import InvalidSettings, KeyPath, Violation, display_name, dotted


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
