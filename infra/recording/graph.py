"""The recorded graph: a program's resources and outputs, as plain data that converts to JSON and back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError

from slipway.settings import BadInput


@dataclass(frozen=True)
class Resource:
    """One resource as the program registered it. Inputs and outputs have wire names (`camelCase`)."""

    type: str
    """Token: `aws:lb/loadBalancer:LoadBalancer`, or a component's: `slipway:aws:LoadBalancer`."""
    name: str
    """Logical name."""
    urn: str
    inputs: dict[str, Any]
    """Plain data; a value from another resource is the text of a reference: `${aws_lb.edge.arn}`."""
    outputs: dict[str, Any] = field(default_factory=dict[str, Any])
    """What the program received: inputs and answers; for a component, its registered outputs."""
    custom: bool = True
    """False: a component."""
    parent: str = ""
    """URN; empty: the stack."""
    protect: bool = False
    retain_on_delete: bool = False
    delete_before_replace: bool = False
    provider: str = ""
    """URN of the provider; empty: the default one."""
    import_id: str = ""
    deleted_with: str = ""
    depends_on: tuple[str, ...] = ()
    """URNs of its dependencies, from options and inputs; sorted."""
    property_depends_on: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """URNs of dependencies, by input."""
    ignore_changes: tuple[str, ...] = ()
    replace_on_changes: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    """URNs; names or types where only these differ."""
    secret_inputs: tuple[str, ...] = ()
    """Dotted paths of inputs marked secret (`master.password`, `rules[0].key`)."""
    secret_outputs: tuple[str, ...] = ()
    """Outputs the SDK or the program marks secret."""
    terraform_type: str = ""
    """`aws_lb`; empty for components and providers."""
    terraform_name: str = ""
    """The logical name as a valid Terraform name."""

    @property
    def address(self) -> str:
        """`aws_lb.edge`; empty for components and providers."""
        return f"{self.terraform_type}.{self.terraform_name}" if self.terraform_type else ""

    @property
    def where(self) -> str:
        """How messages name it: `aws:lb/loadBalancer:LoadBalancer edge`."""
        return f"{self.type} {self.name}"


@dataclass(frozen=True)
class Graph:
    """A whole stack, resources sorted by URN."""

    project: str
    stack: str
    resources: tuple[Resource, ...]
    outputs: dict[str, Any]
    """The stack outputs."""
    secret_outputs: tuple[str, ...] = ()
    """Dotted paths of exports marked secret."""

    def __iter__(self) -> Iterator[Resource]:
        return iter(self.resources)

    def of(self, *types: str) -> list[Resource]:
        """The resources of these types (whole tokens)."""
        return [each for each in self.resources if each.type in types]

    def get(self, type_: str, name: str) -> Resource:
        """The one resource of this type with this logical name. Raises KeyError."""
        for each in self.resources:
            if each.type == type_ and each.name == name:
                return each
        raise KeyError(f"{type_} {name}")

    def by_urn(self, urn: str) -> Resource | None:
        """The resource with this URN."""
        return next((each for each in self.resources if each.urn == urn), None)

    def by_address(self, address: str) -> Resource | None:
        """The resource with this address in references: `aws_lb.edge`."""
        return next((each for each in self.resources if each.address == address), None)

    def as_json(self) -> dict[str, Any]:
        """Plain data for `json.dumps`."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Graph:
        """The graph from `as_json`. Raises BadInput if `data` is not a recorded graph."""
        try:
            return TypeAdapter(cls).validate_python(data)
        except ValidationError as error:
            raise BadInput(f"not a recorded graph: {error}", remedy="record the stack again") from None


_REFERENCE = re.compile(
    r"\$\{(?P<whole>(?:tolist\()*(?P<type>(?:aws|cloudflare|random|tls)_[a-z0-9_]+)"
    r"\.(?P<name>[A-Za-z_][A-Za-z0-9_-]*)\.(?P<attribute>[A-Za-z0-9_.\[\]()]+))\}"
)


@dataclass(frozen=True)
class Reference:
    """One reference, `${aws_lb.edge.arn}`, in a text of an input."""

    type: str
    """`aws_lb`"""
    name: str
    """`edge`"""
    attribute: str
    """`arn`, or a longer path: `domain_validation_options)[0].resource_record_name`."""
    text: str
    """As written, with `${` and `}`."""

    @property
    def address(self) -> str:
        """`aws_lb.edge`"""
        return f"{self.type}.{self.name}"


def references(value: Any) -> Iterator[Reference]:
    """Every reference in `value` (text, or plain data that contains text), in order.

    `${aws:userid}` and `${secret:NAME}` are not references: IAM and slipway use them.
    """
    if isinstance(value, str):
        for found in _REFERENCE.finditer(value):
            yield Reference(found["type"], found["name"], found["attribute"], found[0])
    elif isinstance(value, dict):
        for key, each in cast("dict[str, Any]", value).items():
            yield from references(key)
            yield from references(each)
    elif isinstance(value, list | tuple):
        for each in cast("list[Any]", value):
            yield from references(each)
