"""A resource monitor in place of the engine: it records every registration and answers it."""

import threading
from dataclasses import dataclass, replace
from typing import Any, cast

import pulumi
from google.protobuf import empty_pb2
from pulumi.runtime import rpc
from pulumi.runtime.mocks import MockCallArgs, MockMonitor, MockResourceArgs, Mocks
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.sync_await import (
    _ensure_event_loop,  # pyright: ignore[reportPrivateUsage]
    _sync_await,  # pyright: ignore[reportPrivateUsage]
)

from infra.recording.answers import Answer, default_answers, identifier
from infra.recording.graph import Graph, Resource
from infra.recording.record import ProgramFailed
from infra.recording.sdk import terraform_name, terraform_type

_STACK = "pulumi:pulumi:Stack"


class RecordingMonitor(MockMonitor):
    """Several threads register resources; call `graph()` after the program has ended."""

    def __init__(self, project: str, stack: str, answer: Answer | None = None) -> None:
        super().__init__(_NoLookUps())
        self._project, self._stack, self._answer = project, stack, answer
        self._lock = threading.Lock()
        self._recorded: dict[str, Resource] = {}
        self._registered: dict[str, dict[str, Any]] = {}
        self._stack_urn = ""

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        """The URN that the engine would make, with the types of all parents; the SDK's mocks omit them."""
        above = f"{parent.split('::')[2]}$" if parent else ""
        return f"urn:pulumi:{self._stack}::{self._project}::{above}{type_}::{name}"

    def graph(self) -> Graph:
        """Everything recorded, resources sorted by URN."""
        resources: list[Resource] = []
        for urn, resource in sorted(self._recorded.items()):
            outputs = resource.outputs | plain(self._registered.get(urn, {})).value
            resources.append(_with(resource, outputs=outputs))
        exported = plain(self._registered.get(self._stack_urn, {}))
        return Graph(self._project, self._stack, tuple(resources), exported.value, exported.secrets)

    def RegisterResource(self, request: Any) -> Any:
        """The engine's method of this name: record a resource and return its outputs."""
        if request.type == _STACK:
            self._stack_urn = self.make_urn("", request.type, request.name)
            return resource_pb2.RegisterResourceResponse(urn=self._stack_urn)
        _ensure_event_loop()
        parent = "" if request.parent == self._stack_urn else request.parent
        urn = self.make_urn(parent, request.type, request.name)
        raw = rpc.deserialize_properties(request.object)
        resource, state = self._answered(_resource(request, urn, parent, raw), raw)
        with self._lock:
            self._refuse_second(resource)
            self._recorded[urn] = resource
        id_ = identifier(resource)
        self.resources[urn] = MockMonitor.ResourceRegistration(urn, id_, state)
        answer = _sync_await(rpc.serialize_properties(state, {}))
        return resource_pb2.RegisterResourceResponse(urn=urn, id=id_, object=answer)

    def ReadResource(self, request: Any) -> Any:
        """The engine's method of this name: `X.get(…)` looks up an existing resource, which is refused."""
        raise ProgramFailed(
            f"the program looks up {request.type} {request.name}",
            remedy="take what it needs from the stack's settings: the program body makes no network call",
        )

    def RegisterResourceOutputs(self, request: Any) -> Any:
        """The engine's method of this name: outputs of a component or of the stack."""
        _ensure_event_loop()
        self._registered[request.urn] = rpc.deserialize_properties(request.outputs)
        return empty_pb2.Empty()

    def _answered(self, resource: Resource, raw: dict[str, Any]) -> tuple[Resource, dict[str, Any]]:
        """The resource with its outputs, and the outputs for the wire, with secrets marked."""
        given = default_answers(resource)
        if self._answer is not None:
            given |= dict(self._answer(resource))
        secret = {name for name in resource.secret_outputs if name in given}
        marked = {k: rpc.wrap_rpc_secret(v) if k in secret else v for k, v in given.items()}
        return _with(resource, outputs=resource.inputs | given), {**raw, **marked}

    def _refuse_second(self, resource: Resource) -> None:
        if resource.urn in self._recorded:
            raise ProgramFailed(
                f"two resources have the URN {resource.urn}", remedy="give one of them another logical name"
            )
        same = (
            each for each in self._recorded.values() if resource.address and each.address == resource.address
        )
        if (other := next(same, None)) is not None:
            raise ProgramFailed(
                f'two resources of type {resource.type} have the logical name "{resource.name}": '
                f"{other.urn} and {resource.urn}",
                remedy="logical names are unique by type, whatever the parent: name a child after its parent",
            )


class _NoLookUps(Mocks):
    def call(self, args: MockCallArgs) -> Any:
        raise ProgramFailed(
            f"the program calls {args.token}",
            remedy="take what it needs from the stack's settings: the program body makes no network call",
        )

    def new_resource(self, args: MockResourceArgs) -> Any:
        raise NotImplementedError


def _resource(request: Any, urn: str, parent: str, raw: dict[str, Any]) -> Resource:
    inputs = plain(raw)
    return Resource(
        type=request.type,
        name=request.name,
        urn=urn,
        inputs=inputs.value,
        secret_inputs=inputs.secrets,
        custom=request.custom,
        parent=parent,
        protect=request.protect,
        retain_on_delete=request.retainOnDelete,
        delete_before_replace=request.deleteBeforeReplace,
        provider=request.provider.rpartition("::")[0],
        import_id=request.importId,
        deleted_with=request.deletedWith,
        depends_on=tuple(sorted(set(request.dependencies))),
        property_depends_on={
            key: tuple(sorted(set(each.urns)))
            for key, each in sorted(request.propertyDependencies.items())
            if each.urns
        },
        ignore_changes=tuple(request.ignoreChanges),
        replace_on_changes=tuple(request.replaceOnChanges),
        aliases=tuple(each.urn or each.spec.name or each.spec.type for each in request.aliases),
        secret_outputs=tuple(request.additionalSecretOutputs),
        terraform_type=terraform_type(request.type),
        terraform_name=terraform_name(request.name),
    )


def _with(resource: Resource, *, outputs: dict[str, Any]) -> Resource:
    return replace(resource, outputs=outputs)


@dataclass(frozen=True)
class Plain:
    """Data for JSON, and the dotted paths in it that were marked secret."""

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
