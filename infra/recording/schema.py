"""Checks a resource's inputs, nested ones included, against the provider's typed SDK.

The engine's mocks accept anything: a misspelt key in a dict literal, text in place of a number. The SDK
knows every name and type, so introspection finds both.
"""

import enum
import importlib
import inspect
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from typing import Any, cast

import pulumi

from infra.recording.graph import Resource, references
from infra.recording.sdk import resource_class, type_hints

Fields = dict[str, tuple[Any, bool]]
"""By wire name: the type, and whether it is required."""


def breaches(resource: Resource) -> list[str]:
    """What is wrong with the inputs: `edge.accessLogs.bukket: …`. Nothing for components and providers."""
    cls = resource_class(resource.type)
    if cls is None:
        return [] if not resource.address else [f"{resource.type}: the SDK has no such resource"]
    args = _args_class(cls)
    return list(_object(resource.inputs, args, resource.name))


def _args_class(cls: type) -> type:
    """`LoadBalancerArgs`; `BucketVersioningInitArgs` where the plain name is that of a nested type."""
    module = importlib.import_module(cls.__module__)
    return getattr(module, f"{cls.__name__}InitArgs", None) or getattr(module, f"{cls.__name__}Args")


_OF_INPUT = {"Output": pulumi.Output, "T": typing.TypeVar("T")}
"""Names that `pulumi.Input` itself refers to."""


@cache
def fields(args: type) -> Fields:
    """The inputs of a `…Args` class of the SDK."""
    module = vars(importlib.import_module(args.__module__))
    signature = inspect.signature(args.__init__)
    hints = type_hints(args.__init__, {**_OF_INPUT, **module, **_inputs_of(args)})
    names = {
        python: getattr(getter.fget, "_pulumi_name", python)
        for python, getter in vars(args).items()
        if isinstance(getter, property) and getter.fget is not None
    }
    return {
        names.get(python, python): (hints[python], parameter.default is inspect.Parameter.empty)
        for python, parameter in signature.parameters.items()
        if python not in {"__self__", "self"}
    }


def _inputs_of(args: type) -> dict[str, Any]:
    package = args.__module__.rpartition(".")[0]
    try:
        return vars(importlib.import_module(f"{package}._inputs"))
    except ModuleNotFoundError:
        return {}


def _object(value: Mapping[str, Any], args: type, place: str) -> Iterator[str]:
    known = fields(args)
    for name, (_, required) in known.items():
        if required and name not in value:
            yield f"{place}.{name}: must be given"
    for name, each in value.items():
        if name in known:
            yield from _value(each, known[name][0], f"{place}.{name}")
        else:
            near = get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            yield f"{place}.{name}: {args.__name__} has no such field{hint}"


def _value(value: Any, kind: Any, place: str) -> Iterator[str]:
    """The breaches against whichever allowed type fits best."""
    choices = list(_choices(kind))
    if value is None or not choices or Any in choices:
        return
    tried = [list(_one(value, choice, place)) for choice in choices]
    yield from min(tried, key=len)


def _choices(kind: Any) -> Iterator[Any]:
    """The plain types in `Input[Optional[T]]`: a union of T, awaitables and outputs of T, and None."""
    origin, inside = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        for each in inside:
            yield from _choices(each)
    elif _is_output(origin):
        return
    elif kind is not type(None) and "Awaitable" not in str(origin):
        yield kind


def _is_output(origin: Any) -> bool:
    return origin is pulumi.Output


def _one(value: Any, kind: Any, place: str) -> Iterator[str]:
    origin, inside = typing.get_origin(kind), typing.get_args(kind)
    if typing.is_typeddict(kind):
        kind = _args_of_dict(kind)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        if value not in {each.value for each in kind}:
            yield f"{place}: must be one of {', '.join(str(each.value) for each in kind)}, got {value!r}"
    elif origin is not None and issubclass(origin, Mapping):
        yield from _each_of_map(value, inside[1], place)
    elif origin is not None and issubclass(origin, Sequence):
        yield from _each_of_list(value, inside[0], place)
    elif isinstance(kind, type) and hasattr(kind, "_pulumi_input_type"):
        if isinstance(value, Mapping):
            yield from _object(cast("Mapping[str, Any]", value), kind, place)
        else:
            yield f"{place}: must be {kind.__name__}, got {value!r}"
    elif isinstance(kind, type):
        yield from _plain(value, kind, place)


def _args_of_dict(kind: Any) -> Any:
    """The `XArgs` class beside the typed dict `XArgsDict`."""
    module = importlib.import_module(kind.__module__)
    return getattr(module, kind.__name__.removesuffix("Dict"), kind)


def _each_of_map(value: Any, kind: Any, place: str) -> Iterator[str]:
    if not isinstance(value, Mapping):
        yield f"{place}: must be a map, got {value!r}"
        return
    for key, each in cast("Mapping[str, Any]", value).items():
        yield from _value(each, kind, f"{place}.{key}")


def _each_of_list(value: Any, kind: Any, place: str) -> Iterator[str]:
    if not isinstance(value, list | tuple):
        yield f"{place}: must be a list, got {value!r}"
        return
    for index, each in enumerate(cast("Sequence[Any]", value)):
        yield from _value(each, kind, f"{place}[{index}]")


def _plain(value: Any, kind: type, place: str) -> Iterator[str]:
    """A number or boolean may be a reference to another resource, if there is no other text."""
    if isinstance(value, str) and kind is not str:
        found = [each.text for each in references(value)]
        if found == [value]:
            return
    allowed = {int: (int,), float: (int, float), bool: (bool,), str: (str,)}.get(kind)
    if allowed is None:
        return
    if not isinstance(value, allowed) or (isinstance(value, bool) and kind is not bool):
        yield f"{place}: must be {kind.__name__}, got {value!r}"
