"""The engine's values as plain data: secrets unwrapped and their places noted, assets by what they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import pulumi
from pulumi.runtime import rpc


@dataclass(frozen=True)
class Plain:
    """JSON-able data, and the dotted paths in it that were marked secret."""

    value: Any
    secrets: tuple[str, ...]


def plain(value: Any) -> Plain:
    """`value` as `rpc.deserialize_properties` gives it; whole numbers are ints again."""
    secrets: list[str] = []
    return Plain(_walk(value, "", secrets), tuple(sorted(secrets)))


def _walk(value: Any, path: str, secrets: list[str]) -> Any:
    if rpc.is_rpc_secret(value):
        secrets.append(path)
        value = rpc.unwrap_rpc_secret(value)
    if isinstance(value, dict):
        given = cast("dict[str, Any]", value)
        return {k: _walk(v, f"{path}.{k}" if path else k, secrets) for k, v in given.items()}
    if isinstance(value, list | tuple):
        return [_walk(v, f"{path}[{i}]", secrets) for i, v in enumerate(cast("list[Any]", value))]
    return _leaf(value)


def _leaf(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, pulumi.FileAsset | pulumi.FileArchive):
        return {"path": str(value.path)}
    if isinstance(value, pulumi.StringAsset):
        return {"text": value.text}
    if isinstance(value, pulumi.AssetArchive):
        return {"assets": sorted(value.assets)}
    return value
