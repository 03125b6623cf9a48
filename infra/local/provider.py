"""The provider: makes, compares, reads and removes a fleet.

Pulumi stores this class in the state by its name only (it has no fields, and nothing of it is secret), and
runs it in a process of its own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pulumi.dynamic import CreateResult, DiffResult, ReadResult, ResourceProvider, UpdateResult

MADE_FROM = ("root", "stack", "settings")
RUNNING = "running"

Properties = dict[str, Any]


class FleetProvider(ResourceProvider):
    """`slipway up`, `status` and `down` as the engine asks for them. Imports late: a diff needs little."""

    serialize_as_secret_always = False

    def create(self, props: Properties) -> CreateResult:
        """Bring the fleet up; one that `slipway up` made is taken over."""
        from slipway.settings.project import open_project  # noqa: PLC0415

        made = self._bring_up(props)
        return CreateResult(open_project(props["stack"], Path(props["root"])).fleet_id, made)

    def diff(self, _id: str, _olds: Properties, _news: Properties) -> DiffResult:
        """A change of what it is made from, or a host that does not run. Never a replacement."""
        changed = any(_olds.get(key) != _news.get(key) for key in MADE_FROM)
        return DiffResult(changes=changed or asleep(_olds.get("states") or {}), replaces=[])

    def update(self, _id: str, _olds: Properties, _news: Properties) -> UpdateResult:
        """Bring the fleet in line; data stays."""
        return UpdateResult(self._bring_up(_news))

    def read(self, id_: str, props: Properties) -> ReadResult:
        """What is there now. A fleet of which no container is left is gone."""
        from infra.local.fleet_now import read_fleet  # noqa: PLC0415

        found = read_fleet(props["root"], props["stack"])
        if found is None:
            return ReadResult("", {})
        return ReadResult(id_, {**props, **found})

    def delete(self, _id: str, _props: Properties) -> None:
        """Remove hosts, network, data, certificates and secrets."""
        from infra.local.act import take_down  # noqa: PLC0415

        take_down(_props["root"], _props["stack"])

    def _bring_up(self, props: Properties) -> Properties:
        from infra.local.act import bring_up  # noqa: PLC0415
        from infra.local.fleet_now import read_fleet  # noqa: PLC0415

        bring_up(props["root"], props["stack"])
        return {**{key: props[key] for key in MADE_FROM}, **(read_fleet(props["root"], props["stack"]) or {})}


def asleep(states: dict[str, str]) -> bool:
    """Does any host not run?"""
    return any(state != RUNNING for state in states.values())
