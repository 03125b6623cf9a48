"""References between recorded resources: `${aws_lb.edge.arn}` inside any text of an input."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

_REFERENCE = re.compile(
    r"\$\{(?P<whole>(?:tolist\()*(?P<type>(?:aws|cloudflare|random|tls)_[a-z0-9_]+)"
    r"\.(?P<name>[A-Za-z_][A-Za-z0-9_-]*)\.(?P<attribute>[A-Za-z0-9_.\[\]()]+))\}"
)


@dataclass(frozen=True)
class Reference:
    """One reference, found in a text."""

    type: str
    """`aws_lb`"""
    name: str
    """`edge`"""
    attribute: str
    """`arn`, or what follows it in full: `domain_validation_options)[0].resource_record_name`."""
    text: str
    """As written, with `${` and `}`."""

    @property
    def address(self) -> str:
        """`aws_lb.edge`"""
        return f"{self.type}.{self.name}"


def references(value: Any) -> Iterator[Reference]:
    """Every reference in `value` (a text, or plain data with texts in it), in order.

    `${aws:userid}` and `${secret:NAME}` are none: those are for IAM and for slipway.
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
