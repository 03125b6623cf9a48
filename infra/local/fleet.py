"""The resource: a fleet of containers on this machine."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import pulumi
from pulumi.dynamic import Resource

from infra.local.provider import FleetProvider


@dataclass(frozen=True)
class FleetArgs:
    """What a fleet is made from."""

    root: str
    """Folder of Pulumi.yaml, absolute: the provider's process has a working directory of its own."""
    stack: str
    settings: str
    """Digest of all that it is made from; another one brings the hosts in line."""


class Fleet(Resource, module="slipway", name="Fleet"):
    """Afterwards every host of the stack runs and is set up, as after `slipway up`; no release is touched."""

    outputs: pulumi.Output[dict[str, Any]]
    """The stack outputs (`slipway.settings.outputs.Outputs`)."""
    states: pulumi.Output[dict[str, str]]
    """By host, what its container does: running, exited, missing, …"""

    def __init__(self, name: str, args: FleetArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(FleetProvider(), name, {**asdict(args), "outputs": None, "states": None}, opts)

    def promised(self, field: str) -> pulumi.Output[object]:
        """One field of the stack outputs."""

        def pick(outputs: dict[str, Any] | None) -> object:
            return outputs.get(field) if outputs else None

        return self.outputs.apply(pick)
