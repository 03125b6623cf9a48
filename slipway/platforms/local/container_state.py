"""What docker says about one host's container."""

from __future__ import annotations

import json
from dataclasses import dataclass

from slipway.platforms.local.spec import HOST_LABEL, ROOT_LABEL, SPEC_LABEL


@dataclass(frozen=True)
class ContainerState:
    """One container of a fleet as docker tells it."""

    host: str
    root: str
    spec: str
    state: str
    """created, running, restarting, exited, paused, dead."""
    since: str
    """RFC 3339."""
    address: str

    @property
    def running(self) -> bool:
        """Is it up?"""
        return self.state == "running"

    def fits(self, spec: str) -> bool:
        """Is it made by `spec`, and whole? One that never started was cut off before its keys were put in."""
        return self.spec == spec and self.state != "created"

    @classmethod
    def read(cls, entry: dict[str, object]) -> ContainerState:
        """From an entry of `docker container inspect`."""
        facts = json.loads(json.dumps(entry))
        labels, networks = facts["Config"]["Labels"], facts["NetworkSettings"]["Networks"]
        return cls(
            host=labels.get(HOST_LABEL, ""),
            root=labels.get(ROOT_LABEL, ""),
            spec=labels.get(SPEC_LABEL, ""),
            state=facts["State"]["Status"],
            since=facts["State"]["StartedAt"],
            address=next((str(network["IPAddress"]) for network in networks.values()), ""),
        )
