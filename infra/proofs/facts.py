"""A recorded stack as agreements see it: its region, account and names, and its resources by reference."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any, cast

from infra.policies.reading import statements, words
from infra.proofs.network_map import first
from infra.recording.graph import Graph, Resource, references

Said = tuple[Resource | None, str, str]
"""A resource (None: the stack), the input, and what is wrong with it."""
ROLE_POLICY = "aws:iam/rolePolicy:RolePolicy"


@dataclass(frozen=True)
class Facts:
    """The stack's graph, and what is read from its provider and its names."""

    graph: Graph

    @property
    def fleet(self) -> str:
        """`board-prod`"""
        return f"{self.graph.project}-{self.graph.stack}"

    @property
    def path(self) -> str:
        """`slipway/board/prod`"""
        return f"slipway/{self.graph.project}/{self.graph.stack}"

    @cached_property
    def region(self) -> str:
        """The provider's region."""
        return str(self._provider.get("region", ""))

    @cached_property
    def account(self) -> str:
        """The only account that the provider allows."""
        return "".join(json.loads(str(self._provider.get("allowedAccountIds") or "[]"))[:1])

    @property
    def _provider(self) -> dict[str, Any]:
        return next((each.inputs for each in self.graph.of("pulumi:providers:aws")), dict[str, Any]())

    def named(self, value: Any, token: str, name: str) -> Resource | None:
        """The resource of type `token` that `value` names by its input `name`, or refers to."""
        for each in self.graph.of(token):
            if value == each.inputs.get(name) or first(value) == each.address:
                return each
        return None

    def policy_of(self, role: Resource) -> list[dict[str, Any]]:
        """The statements of a role's own policies."""
        return [
            statement
            for policy in self.graph.of(ROLE_POLICY)
            if policy.inputs.get("role") == role.inputs.get("name")
            or first(policy.inputs["role"]) == role.address
            for statement in statements(policy.inputs.get("policy"))
        ]

    def arn(self, service: str, resource: str) -> str:
        """An ARN of the stack's region and account."""
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"


def allows(policy: list[dict[str, Any]], action: str, resource: str) -> bool:
    """Does a statement allow `action` on `resource`, and none deny it? Conditions are not looked at."""

    def speaks(statement: dict[str, Any], effect: str) -> bool:
        return (
            statement.get("Effect") == effect
            and any(fnmatchcase(action.lower(), each.lower()) for each in words(statement.get("Action")))
            and any(fnmatchcase(resource, _plain(each)) for each in words(statement.get("Resource")))
        )

    return any(speaks(each, "Allow") for each in policy)


def _plain(pattern: str) -> str:
    """A pattern of a policy as one of `fnmatch`, in which brackets mean something else."""
    return pattern.replace("[", "[[]")


def services(policy: list[dict[str, Any]]) -> set[str]:
    """Every service that a policy's Allow statements name as a principal."""
    found: set[str] = set()
    for each in policy:
        principal = each.get("Principal")
        if each.get("Effect") == "Allow" and isinstance(principal, dict):
            found |= set(words(cast("dict[str, Any]", principal).get("Service")))
    return found


def every_reference(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every text in `value` that is one whole reference, with the path of its input."""
    if isinstance(value, dict):
        for key, each in cast("dict[str, Any]", value).items():
            yield from every_reference(each, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for each in cast("list[Any]", value):
            yield from every_reference(each, path)
    elif isinstance(value, str) and [each.text for each in references(value)] == [value]:
        yield path, value


Agreement = Callable[[Facts], Iterator[Said]]
