"""A resource's inputs in the shape that the provider's schema wants: blocks and attributes, all known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from infra.recording.sdk import snake_case
from tests.infra.emulator.differences import is_dropped
from tests.infra.emulator.names import known
from tests.infra.emulator.unknown import Unknown

Block = dict[str, Any]
"""Of `terraform providers schema -json`: `attributes` and `block_types` by name."""
Text = Callable[[str], str]
"""Makes Terraform's text out of a recorded one."""


def arguments(kind: str, block: Block, inputs: dict[str, Any], text: Text) -> dict[str, Any]:
    """`inputs` (the SDK's names) for a resource of type `kind`. Raises Unknown."""
    return _Writer(kind, text).block(block, inputs, kind)


class _Writer:
    def __init__(self, kind: str, text: Text) -> None:
        self._kind, self._text = kind, text

    def block(self, block: Block, inputs: dict[str, Any], where: str) -> dict[str, Any]:
        attributes, blocks = block.get("attributes", {}), block.get("block_types", {})
        settable = {name for name, each in attributes.items() if each.get("optional") or each.get("required")}
        written: dict[str, Any] = {}
        for given, value in inputs.items():
            if value is None or is_dropped(self._kind, snake_case(given)):
                continue
            name = known(given, settable | set(blocks), self._kind)
            if name is None:
                raise Unknown(f"{where}.{given}: the provider's schema has no such argument")
            place = f"{where}.{name}"
            if name in blocks:
                written[name] = self._blocks(blocks[name], value, place)
            else:
                written[name] = self._value(attributes[name]["type"], value, place)
        return written

    def _blocks(self, kind: dict[str, Any], value: Any, where: str) -> list[dict[str, Any]]:
        many = cast("list[Any]", value) if isinstance(value, list) else [value]
        for each in many:
            if not isinstance(each, dict):
                raise Unknown(f"{where}: a block is wanted, got {each!r}")
        return [self.block(kind["block"], each, where) for each in many]

    def _value(self, kind: Any, value: Any, where: str) -> Any:
        """`kind` is a type of the schema: `"string"`, `["list", "string"]`, `["object", {…}]`."""
        if isinstance(kind, str):
            return self._scalar(value, where)
        shape, inside = kind[0], kind[1]
        if shape in ("list", "set"):
            many = cast("list[Any]", value) if isinstance(value, list) else [value]
            return [self._value(inside, each, where) for each in many]
        if not isinstance(value, dict):
            if isinstance(value, str):
                return self._text(value)
            raise Unknown(f"{where}: a mapping is wanted, got {value!r}")
        mapping = cast("dict[str, Any]", value)
        if shape == "map":
            return {self._text(key): self._value(inside, each, where) for key, each in mapping.items()}
        return self._object(inside, mapping, where)

    def _object(self, fields: dict[str, Any], value: dict[str, Any], where: str) -> dict[str, Any]:
        written: dict[str, Any] = dict.fromkeys(fields)
        for given, each in value.items():
            name = known(given, fields)
            if name is None:
                raise Unknown(f"{where}.{given}: the provider's schema has no such argument")
            written[name] = self._value(fields[name], each, where)
        return written

    def _scalar(self, value: Any, where: str) -> Any:
        if isinstance(value, list | dict):
            raise Unknown(f"{where}: one value is wanted, got {value!r}")
        return self._text(value) if isinstance(value, str) else value
