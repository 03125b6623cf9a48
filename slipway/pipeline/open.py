"""Opening a stack: outputs, secrets, hosts, ledger, each only when first needed and none twice."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from slipway.errors import BadInput
from slipway.fleet.fleet import Fleet
from slipway.settings.outputs import Outputs
from slipway.settings.project import Project


class OpenStack:
    """A stack as a command uses it. Opening costs nothing; each part is read on first use."""

    def __init__(self, project: Project) -> None:
        self.project = project

    @cached_property
    def outputs(self) -> Outputs:
        """What the platform promised; BadInput if the stack was never brought up."""
        path = self.project.state_dir / "outputs.json"
        if not path.exists():
            raise BadInput(
                f"stack {self.project.stack.name} is not up: {path} does not exist",
                remedy=f"slipway up --stack {self.project.stack.name}",
            )
        return Outputs.model_validate_json(path.read_text())

    @cached_property
    def secrets(self) -> Mapping[str, str]:
        """Every value of the stack's secret store, by name."""
        from slipway.secrets.store import open_store  # noqa: PLC0415

        return open_store(self.project).read()

    @cached_property
    def redactor(self):  # noqa: ANN201
        """Blots out every secret value."""
        from slipway.secrets.redact import Redactor  # noqa: PLC0415

        return Redactor(self.secrets)

    @cached_property
    def fleet(self) -> Fleet:
        """The hosts, reached over kept ssh connections."""
        return Fleet(self.outputs)
