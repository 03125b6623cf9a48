"""The providers' typed SDK, read by introspection: the class of a token, and the outputs it declares."""

from __future__ import annotations

import importlib
import typing
from functools import cache
from typing import Any

PACKAGES = {"aws": "pulumi_aws", "cloudflare": "pulumi_cloudflare"}
_MODULES = {"lambda": "lambda_", "import": "import_"}


@cache
def resource_class(token: str) -> type | None:
    """The SDK's class for `aws:lb/listener:Listener`; None for components, providers and other packages."""
    package, _, rest = token.partition(":")
    module, _, name = rest.rpartition(":")
    if package not in PACKAGES or "/" not in module:
        return None
    folder = module.split("/")[0]
    place = PACKAGES[package] if folder == "index" else f"{PACKAGES[package]}.{_MODULES.get(folder, folder)}"
    found = getattr(importlib.import_module(place), name, None)
    return found if isinstance(found, type) else None


@cache
def declared_outputs(cls: type) -> dict[str, tuple[str, Any]]:
    """By wire name: the Python name and the type inside `Output[…]`, as the class's getters say."""
    names = vars(importlib.import_module(cls.__module__))
    outputs: dict[str, tuple[str, Any]] = {}
    for python_name, getter in vars(cls).items():
        if not isinstance(getter, property) or getter.fget is None:
            continue
        wire_name = getattr(getter.fget, "_pulumi_name", python_name)
        hints = type_hints(getter.fget, names)
        inside = typing.get_args(hints.get("return"))
        outputs[wire_name] = (python_name, inside[0] if inside else Any)
    return outputs


@cache
def declared_fields(cls: type) -> dict[str, tuple[str, Any]]:
    """The same for a nested output type of the SDK, such as `outputs.LoadBalancerAccessLogs`."""
    names = vars(importlib.import_module(cls.__module__))
    fields: dict[str, tuple[str, Any]] = {}
    for python_name, getter in vars(cls).items():
        if isinstance(getter, property) and getter.fget is not None:
            wire_name = getattr(getter.fget, "_pulumi_name", python_name)
            hints = type_hints(getter.fget, names)
            fields[wire_name] = (python_name, hints.get("return", Any))
    return fields


def type_hints(of: Any, names: dict[str, Any]) -> dict[str, Any]:
    """The annotations of `of`, in which the SDK's modules use one name for types of their own.

    `typing` keeps what a quoted name came to, and shares it between equal annotations of different modules:
    rds' ParameterGroupParameterArgs would be docdb's if that was asked for first. Local names that are not
    the global ones make it look again.
    """
    return typing.get_type_hints(of, globalns=names, localns=dict(names))
