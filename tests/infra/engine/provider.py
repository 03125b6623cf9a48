"""A provider that the real engine drives in place of AWS's and Cloudflare's: it makes nothing, and keeps a
record.

PULUMI_DEBUG_PROVIDERS names it to the engine. Outputs are those of the recorded graph (infra/recording), so
that a program gets the same answers with and without an engine.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import grpc
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from infra.recording.answers import default_answers, identifier
from infra.recording.graph import Resource
from infra.recording.sdk import terraform_name, terraform_type

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""What stands for a text that is not known before it is made: pulumi/sdk/go/common/resource/plugin/rpc.go."""
REPLACED_ON = {
    "aws:rds/instance:Instance": {"identifier", "storageEncrypted", "username", "dbSubnetGroupName"},
    "aws:ec2/subnet:Subnet": {"availabilityZoneId", "cidrBlock", "vpcId"},
    "aws:s3/bucket:Bucket": {"bucket"},
}
"""Inputs that Terraform's AWS provider marks "Forces new resource", for the types that tests change."""


@dataclass
class Record:
    """What the engine had done, in order."""

    done: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """`("create", urn)` …"""
    failing: str = ""
    """A part of a URN whose creation and update fail; empty: none."""
    drifted: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    """By logical name, what a refresh finds there in place of what was made."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, what: str, urn: str) -> None:
        with self.lock:
            self.done.append((what, urn))

    def of(self, what: str) -> list[str]:
        """URNs to which this was done."""
        return [urn for each, urn in self.done if each == what]


class RecordingProvider(provider_pb2_grpc.ResourceProviderServicer):
    """Speaks pulumi/proto/provider.proto; one for each package."""

    def __init__(self, package: str, record: Record) -> None:
        self._package, self._record = package, record

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin_pb2.PluginInfo(version=version(f"pulumi-{self._package}"))

    def Handshake(self, request: Any, context: Any) -> Any:
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True, accept_resources=True)

    def Attach(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()

    def Cancel(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()

    def GetSchema(self, request: Any, context: Any) -> Any:
        return provider_pb2.GetSchemaResponse(schema="{}")

    def CheckConfig(self, request: Any, context: Any) -> Any:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> Any:
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    def Configure(self, request: Any, context: Any) -> Any:
        return provider_pb2.ConfigureResponse(acceptSecrets=True, supportsPreview=True, acceptResources=True)

    def Check(self, request: Any, context: Any) -> Any:
        return provider_pb2.CheckResponse(inputs=request.news)

    def Diff(self, request: Any, context: Any) -> Any:
        before, after = _plain(request.old_inputs), _plain(request.news)
        changed = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
        changed = [key for key in changed if key not in request.ignoreChanges]
        kinds = provider_pb2.DiffResponse
        return provider_pb2.DiffResponse(
            changes=kinds.DIFF_SOME if changed else kinds.DIFF_NONE,
            diffs=changed,
            replaces=[key for key in changed if key in REPLACED_ON.get(_type(request.urn), ())],
        )

    def Create(self, request: Any, context: Any) -> Any:
        resource = _resource(request.urn, request.properties)
        if request.preview:
            return provider_pb2.CreateResponse(properties=_state(resource, request.properties, known=False))
        self._do("create", request.urn, context)
        return provider_pb2.CreateResponse(
            id=identifier(resource), properties=_state(resource, request.properties, known=True)
        )

    def Read(self, request: Any, context: Any) -> Any:
        name = request.urn.rpartition("::")[2]
        drifted = self._record.drifted.get(name, {})
        return provider_pb2.ReadResponse(
            id=request.id,
            properties=_struct(_plain(request.properties) | drifted),
            inputs=_struct(_plain(request.inputs) | drifted),
        )

    def Update(self, request: Any, context: Any) -> Any:
        resource = _resource(request.urn, request.news)
        if not request.preview:
            self._do("update", request.urn, context)
        return provider_pb2.UpdateResponse(properties=_state(resource, request.news, known=True))

    def Delete(self, request: Any, context: Any) -> Any:
        self._record.note("delete", request.urn)
        return empty_pb2.Empty()

    def _do(self, what: str, urn: str, context: Any) -> None:
        if self._record.failing and self._record.failing in urn:
            context.abort(grpc.StatusCode.UNKNOWN, f"{what} failed, as the test wants")
        self._record.note(what, urn)


@contextmanager
def providers(packages: Iterable[str]) -> Generator[tuple[Record, str]]:
    """Providers for `packages`: their record, and the value of PULUMI_DEBUG_PROVIDERS."""
    record, attached = Record(), list[str]()
    servers = list[Any]()
    try:
        for package in packages:
            server = grpc.server(ThreadPoolExecutor(16))
            provider = RecordingProvider(package, record)
            provider_pb2_grpc.add_ResourceProviderServicer_to_server(provider, server)
            attached.append(f"{package}:{server.add_insecure_port('127.0.0.1:0')}")
            server.start()
            servers.append(server)
        yield record, ",".join(attached)
    finally:
        for server in servers:
            server.stop(None).wait()


def _plain(properties: struct_pb2.Struct) -> dict[str, Any]:
    return json_format.MessageToDict(properties)


def _type(urn: str) -> str:
    return urn.split("::")[2].rpartition("$")[2]


def _resource(urn: str, inputs: struct_pb2.Struct) -> Resource:
    kind, name = _type(urn), urn.rpartition("::")[2]
    return Resource(
        type=kind, name=name, urn=urn, inputs=_plain(inputs),
        terraform_type=terraform_type(kind), terraform_name=terraform_name(name),
    )  # fmt: skip


_IMPORTS = threading.Lock()
"""The SDK's modules are imported when a type is first asked for, which is no work for several threads."""


def _state(resource: Resource, inputs: struct_pb2.Struct, *, known: bool) -> struct_pb2.Struct:
    """The inputs, secrets still marked, and the outputs that the program gets."""
    with _IMPORTS:
        answers = default_answers(resource)
    if not known:
        answers = dict.fromkeys(answers, UNKNOWN)
    return _struct(_plain(inputs) | answers)


def _struct(values: dict[str, Any]) -> struct_pb2.Struct:
    return json_format.ParseDict(values, struct_pb2.Struct())
