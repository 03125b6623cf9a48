"""What a stack on platform local consists of: one fleet."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pulumi
from pulumi.dynamic import Resource

import hosts
from hosts.render import TEMPLATES
from infra.local.provider import FleetProvider
from slipway.settings.outputs import Outputs
from slipway.settings.project import Project


def program(project: Project) -> Mapping[str, pulumi.Output[object]]:
    """Declare the fleet; returns the stack outputs by name, each a field of `Outputs`.

    The same fleet that `slipway up` makes: whichever of the two came first, the other goes on from there.
    """
    fleet = Fleet(
        "fleet",
        FleetArgs(
            root=str(project.root.resolve()), stack=project.stack.name, settings=wanted_digest(project)
        ),
    )
    return {field: fleet.promised(field) for field in Outputs.model_fields}


# The resource: a fleet of containers on this machine.


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


# What a fleet is made from, as one digest: if that is what it was made from, there is nothing to do.


_CODE = ("*.py", "data/*.py", "agent/*.py")
_ELSEWHERE = ("aws", "cloud-init")
"""Templates of other platforms."""


def wanted_digest(project: Project) -> str:
    """64 hex characters over the stack's and app's settings and the code that sets hosts up. No secrets."""
    settings = {
        "stack": project.stack.model_dump(mode="json"),
        "app": project.app.model_dump(mode="json"),
    }
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for folder, patterns in ((Path(hosts.__path__[0]), _CODE), (TEMPLATES, ("**/*",))):
        for path in sorted({path for pattern in patterns for path in folder.glob(pattern)}):
            if path.is_file() and path.relative_to(folder).parts[0] not in _ELSEWHERE:
                digest.update(f"{path.relative_to(folder)}\n".encode())
                digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
