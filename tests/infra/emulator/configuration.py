"""A recorded graph as a configuration for Terraform, in its JSON syntax."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from infra.recording import Graph, Resource
from infra.recording.graph import Reference, references
from tests.infra.emulator.arguments import arguments
from tests.infra.emulator.endpoints import ENDPOINTS
from tests.infra.emulator.limits import forgotten
from tests.infra.emulator.names import known
from tests.infra.emulator.texts import Schema, translated
from tests.infra.emulator.unknown import Unknown

ACCOUNT = "123456789012"
"""Of the emulator, and of the example's stacks."""


@dataclass(frozen=True)
class Target:
    """What a configuration is for."""

    schema: Schema
    version: str
    """Of the provider."""
    endpoint: str
    """`http://127.0.0.1:5000`"""
    left_out: frozenset[str] = frozenset()
    """Types that are not made here: references to them become stand-ins."""


def configuration(graph: Graph, target: Target) -> dict[str, Any]:
    """All AWS resources of `graph` that `target` makes, and its outputs. Raises Unknown."""
    made = {each.address: each for each in graph if _is_made(each, target)}
    for each in graph:
        if each.custom and each.type.startswith("aws:") and each.terraform_type not in target.schema:
            raise Unknown(f"{each.where}: the provider has no resource {each.terraform_type or each.type}")

    def absent(found: Reference) -> str | None:
        return None if found.address in made else stand_in(found)

    def text(recorded: str) -> str:
        return translated(recorded, target.schema, absent)

    resources: dict[str, dict[str, Any]] = {}
    for each in made.values():
        block = target.schema[each.terraform_type]["block"]
        written = arguments(each.terraform_type, block, each.inputs, text)
        resources.setdefault(each.terraform_type, {})[each.terraform_name] = {
            **_named_by_pulumi(each, block),
            **written,
            **_meta(each, graph, made, block),
        }
    return {
        "terraform": {"required_providers": {"aws": {"source": "hashicorp/aws", "version": target.version}}},
        "provider": {"aws": _providers(graph, target)},
        "resource": resources,
        "output": {name: _output(value, text) for name, value in graph.outputs.items()},
    }


def stand_in(found: Reference) -> str:
    """A text in place of an attribute of a resource that is not made."""
    if found.attribute.rpartition(".")[2].endswith("arn"):
        return f"arn:aws:stand-in:us-east-1:{ACCOUNT}:{found.type}/{found.name}"
    return f"stand-in-{found.name}"


def _is_made(resource: Resource, target: Target) -> bool:
    kind = resource.terraform_type
    return kind in target.schema and kind.startswith("aws_") and kind not in target.left_out


def _named_by_pulumi(resource: Resource, block: dict[str, Any]) -> dict[str, str]:
    """Pulumi makes up a name that is not given, of the logical name and a random end."""
    wanted = block.get("attributes", {}).get("name", {}).get("required")
    return {"name": f"{resource.name}-0a1b2c3"} if wanted else {}


def _meta(
    resource: Resource, graph: Graph, made: dict[str, Resource], block: dict[str, Any]
) -> dict[str, Any]:
    """What is Terraform's and not the resource's: order, provider, what it leaves alone."""
    named = {each.address for each in references(resource.inputs)}
    before = {other.address for urn in resource.depends_on if (other := graph.by_urn(urn)) is not None}
    meta: dict[str, Any] = {}
    if order := sorted((before - named) & set(made)):
        meta["depends_on"] = order
    names = {*block.get("attributes", {}), *block.get("block_types", {})}
    ignored = [
        known(each.partition(".")[0], names, resource.terraform_type) for each in resource.ignore_changes
    ]
    if kept := [*filter(None, ignored), *forgotten(resource.terraform_type)]:
        meta["lifecycle"] = {"ignore_changes": kept}
    provider = graph.by_urn(resource.provider)
    if provider is not None and (alias := _alias(provider, graph)):
        meta["provider"] = f"aws.{alias}"
    return meta


def _providers(graph: Graph, target: Target) -> list[dict[str, Any]]:
    endpoints = [dict.fromkeys(ENDPOINTS, target.endpoint)]
    always = {
        "access_key": "emulator",
        "secret_key": "emulator",
        "skip_credentials_validation": True,
        "skip_metadata_api_check": True,
        "skip_region_validation": True,
        "s3_use_path_style": True,
        "max_retries": 3,
        "endpoints": endpoints,
    }
    written: list[dict[str, Any]] = []
    for each in graph.of("pulumi:providers:aws"):
        inputs: dict[str, Any] = {key: _parsed(value) for key, value in each.inputs.items()}
        tags: dict[str, str] = inputs.get("defaultTags", {}).get("tags", {})
        alias = _alias(each, graph)
        written.append(
            {
                "region": inputs["region"],
                "allowed_account_ids": inputs.get("allowedAccountIds", [ACCOUNT]),
                **({"default_tags": [{"tags": tags}]} if tags else {}),
                **({"alias": alias} if alias else {}),
                **always,
            }
        )
    return written or [{"region": "us-east-1", **always}]


def _alias(provider: Resource, graph: Graph) -> str:
    """The first provider is Terraform's default; others are called by name."""
    return "" if provider == graph.of("pulumi:providers:aws")[0] else provider.terraform_name


def _parsed(value: Any) -> Any:
    """Providers take everything as text: what is not a text is JSON."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        return json.loads(value)
    return value


def _output(value: Any, text: Any) -> dict[str, Any]:
    def walked(each: Any) -> Any:
        if isinstance(each, str):
            return text(each)
        if isinstance(each, dict):
            return {key: walked(inside) for key, inside in each.items()}  # pyright: ignore[reportUnknownVariableType]
        if isinstance(each, list):
            return [walked(inside) for inside in each]  # pyright: ignore[reportUnknownVariableType]
        return each

    return {"value": walked(value), "sensitive": True}
