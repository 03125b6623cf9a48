"""What a stack on platform local consists of: one fleet."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi

from infra.local.fleet import Fleet, FleetArgs
from infra.local.wanted import wanted_digest
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
