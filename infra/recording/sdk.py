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
        hints = typing.get_type_hints(getter.fget, globalns=names)
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
            hints = typing.get_type_hints(getter.fget, globalns=names)
            fields[wire_name] = (python_name, hints.get("return", Any))
    return fields
