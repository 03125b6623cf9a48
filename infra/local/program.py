"""What a stack on platform local consists of: one fleet of containers on this machine."""

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
from slipway.settings import Outputs, Project


def program(project: Project) -> Mapping[str, pulumi.Output[object]]:
    """Declare the fleet; returns the stack outputs by name, each a field of `Outputs`.

    It is the fleet that `slipway up` makes, so either command continues what the other started.
    """
    fleet = Fleet(
        "fleet",
        FleetArgs(
            root=str(project.root.resolve()), stack=project.stack.name, settings=wanted_digest(project)
        ),
    )
    return {field: fleet.promised(field) for field in Outputs.model_fields}


@dataclass(frozen=True)
class FleetArgs:
    """What a fleet is made from."""

    root: str
    """Folder of Pulumi.yaml, absolute: the provider's process has a working directory of its own."""
    stack: str
    settings: str
    """Digest of everything the hosts are set up from; when it changes, they are brought in line."""


class Fleet(Resource, module="slipway", name="Fleet"):
    """A fleet whose hosts all run and are set up, as after `slipway up`; releases are not touched."""

    outputs: pulumi.Output[dict[str, Any]]
    """The stack outputs (`slipway.settings.outputs.Outputs`)."""
    states: pulumi.Output[dict[str, str]]
    """By host, its container's state: running, exited, missing, …"""

    def __init__(self, name: str, args: FleetArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(FleetProvider(), name, {**asdict(args), "outputs": None, "states": None}, opts)

    def promised(self, field: str) -> pulumi.Output[object]:
        """One field of the stack outputs."""

        def pick(outputs: dict[str, Any] | None) -> object:
            return outputs.get(field) if outputs else None

        return self.outputs.apply(pick)


_CODE = ("*.py", "data/*.py", "agent/*.py")
_ELSEWHERE = ("aws", "cloud-init")
"""Templates of other platforms."""


def wanted_digest(project: Project) -> str:
    """SHA-256 over the settings of stack and app and the code that sets hosts up, in hex. No secrets."""
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
