"""DNS records by which ACM and SES see that a domain is ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import pulumi
import pulumi_cloudflare as cloudflare

_SECONDS = 300


class Proof(Protocol):
    """A record that somebody asks for. Names and values may end with a dot."""

    @property
    def name(self) -> pulumi.Input[str]: ...
    @property
    def type(self) -> pulumi.Input[str]: ...
    @property
    def value(self) -> pulumi.Input[str]: ...


@dataclass(frozen=True)
class ProofsArgs:
    """In which zone, and what by a short name each: `certificate`, `mail-1`."""

    zone: str
    records: Mapping[str, Proof]


class Proofs(pulumi.ComponentResource):
    """Records that are answered as they are, never by Cloudflare's proxy."""

    names: dict[str, pulumi.Output[str]]
    """By short name: the record's name, once it is there."""

    def __init__(self, name: str, args: ProofsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:cloudflare:Proofs", name, None, opts)
        self.names = {
            short: cloudflare.DnsRecord(
                f"{name}-{short}",
                zone_id=args.zone,
                name=pulumi.Output.from_input(proof.name).apply(without_dot),
                type=proof.type,
                content=pulumi.Output.from_input(proof.value).apply(without_dot),
                proxied=False,
                ttl=_SECONDS,
                comment="slipway",
                opts=pulumi.ResourceOptions(parent=self),
            ).name
            for short, proof in args.records.items()
        }
        self.register_outputs({"names": self.names})


def without_dot(text: str) -> str:
    """A full name as Cloudflare writes it: `_x.example.com`."""
    return text.removesuffix(".")
