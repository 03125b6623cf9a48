"""What a rule is: a sentence that a resource keeps or breaks, seen with all others of its stack."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from inspect import signature
from typing import Any, Literal, cast

from infra.recording.graph import Graph, Resource
from slipway.settings.aws import Purpose

Severity = Literal["critical", "high", "medium", "low"]


@dataclass(frozen=True)
class World:
    """A stack as rules see it."""

    graph: Graph
    purpose: Purpose = "production"

    def linked(self, resource: Resource, *types: str, by: str) -> list[Resource]:
        """Resources of `types` whose input `by` comes from `resource`."""
        return [
            each for each in self.graph.of(*types) if resource.urn in each.property_depends_on.get(by, ())
        ]

    def behind(self, resource: Resource, name: str, *types: str) -> list[Resource]:
        """Resources of `types` that input `name` of `resource` comes from."""
        sources = resource.property_depends_on.get(name, ())
        return [each for each in self.graph.of(*types) if each.urn in sources]


Judge = Callable[[Resource, World], Iterable[str]]
"""What is wrong with this resource; nothing: it keeps the rule. Pure."""


@dataclass(frozen=True)
class Rule:
    """One rule. `passing` and `failing` are its examples: worlds in which it is kept, and is broken."""

    id: str
    says: str
    controls: tuple[str, ...]
    """What asks for it: Security Hub's controls (`ELB.4`), rows of the production checklist (`I8`)."""
    severity: Severity
    types: tuple[str, ...]
    """Tokens of the resources it judges; `*`: all."""
    remedy: str
    judge: Judge
    passing: tuple[World, ...]
    failing: tuple[World, ...]
    production_only: bool = False
    whole_stack: bool = False
    """Does it look at more than one resource at a time?"""

    def applies(self, resource: Resource, world: World) -> bool:
        """Is this resource judged by it?"""
        if self.production_only and world.purpose != "production":
            return False
        return resource.type in self.types or self.types == ("*",)


def rule(
    id_: str,
    *types: str,
    controls: tuple[str, ...],
    severity: Severity,
    remedy: str,
    passing: Iterable[World],
    failing: Iterable[World],
    production_only: bool = False,
) -> Callable[[Judge], Rule]:
    """Makes a rule of a judge; its docstring is what the rule says.

    A judge that does not look at the rest of the stack calls its second parameter `_`.
    """

    def make(judge: Judge) -> Rule:
        says = (judge.__doc__ or "").strip()
        return Rule(
            id_, says, controls, severity, types, remedy, judge, tuple(passing), tuple(failing),
            production_only, whole_stack=not list(signature(judge).parameters)[1].startswith("_"),
        )  # fmt: skip

    return make


def holds(
    id_: str,
    type_: str,
    path: str,
    *,
    good: Any,
    bad: Any,
    says: str,
    controls: tuple[str, ...],
    severity: Severity,
    remedy: str = "",
    when: Callable[[Any], bool] | None = None,
    only: Callable[[Mapping[str, Any]], bool] | None = None,
    given: Mapping[str, Any] | None = None,
    absent_is_good: bool = False,
    production_only: bool = False,
) -> Rule:
    """A rule about one input at the dotted `path`: it is `good`, or `when(value)` says yes.

    `bad` is the failing example's value; so is absence, unless `absent_is_good`. `only` tells which resources
    of the type are meant, and `given` are inputs that make the examples such.
    """

    def judge(resource: Resource, _: World) -> Iterable[str]:
        if only is not None and not only(resource.inputs):
            return
        value = at(resource.inputs, path)
        if value is None:
            if not absent_is_good:
                yield f"{path} is not set"
        elif not (value == good if when is None else when(value)):
            yield f"{path} is {value!r}"

    def example(value: Any) -> World:
        inputs: dict[str, Any] = dict(given or {})
        return world(made(type_, inputs=put(inputs, path, value) if value is not None else inputs))

    failing = [example(bad)] if absent_is_good else [example(bad), example(None)]
    return Rule(
        id_, says, controls, severity, (type_,), remedy or f"set {path} to {good!r}", judge,
        (example(good),), tuple(failing), production_only,
    )  # fmt: skip


def at(inputs: Mapping[str, Any], path: str) -> Any:
    """What lies at `accessLogs.enabled` or `rules.0.id`; None if nothing does."""
    value: Any = inputs
    for key in path.split("."):
        if isinstance(value, Mapping):
            value = cast("Mapping[str, Any]", value).get(key)
        elif isinstance(value, list | tuple) and key.isdigit():
            entries = cast("list[Any]", value)
            value = entries[int(key)] if int(key) < len(entries) else None
        else:
            return None
    return value


def put(inputs: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """`inputs` with `value` at `path`; a key `0` makes a list of one."""
    key, _, rest = path.partition(".")
    inner: Any = value
    if rest:
        below = inputs.get(key)
        if rest.split(".")[0] == "0":
            after = rest.partition(".")[2]
            inner = [put({}, after, value) if after else value]
        else:
            inner = put(cast("Mapping[str, Any]", below) if isinstance(below, Mapping) else {}, rest, value)
    return {**inputs, key: inner}


def made(
    type_: str,
    name: str = "it",
    *,
    inputs: Mapping[str, Any] | None = None,
    links: Mapping[str, Resource] | None = None,
    **options: Any,
) -> Resource:
    """A resource of an example. `links`: inputs that come from another resource's id."""
    given = dict(inputs or {})
    depends: dict[str, tuple[str, ...]] = {}
    for key, other in (links or {}).items():
        given.setdefault(key, f"{other.name}-id")
        depends[key] = (other.urn,)
    urn = f"urn:pulumi:example::board::{type_}::{name}"
    return Resource(type_, name, urn, given, property_depends_on=depends, **options)


def world(*resources: Resource, purpose: Purpose = "production", **of_graph: Any) -> World:
    """A world of an example."""
    return World(
        Graph("board", "example", tuple(resources), of_graph.pop("outputs", {}), **of_graph), purpose
    )
