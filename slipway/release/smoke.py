"""Smoke: reach the release on every web host through the candidate listener before any user does (S2)."""

from dataclasses import dataclass

from slipway.fleet.fleet import FleetHost
from slipway.fleet.replies import Smoked
from slipway.release.rollout import Phase, Rollout, Shipment


@dataclass(frozen=True)
class Smoke(Phase[None]):
    """The smoke steps that the build carries, and the WebSocket handshake where the app has one.

    They are those of the build's own slipway.toml: a rollback tests old code by what it promised.
    """

    name = "smoke"

    shipment: Shipment

    def run(self, rollout: Rollout) -> None:
        rollout.hosts.each(
            rollout.hosts.web, lambda host: smoke_on(rollout, self.shipment, host), doing="smoke test"
        )


def smoke_on(rollout: Rollout, shipment: Shipment, host: FleetHost) -> Smoked:
    """Run the smoke steps against the idle slot of one host."""
    app = shipment.app(rollout.app)
    return host.agent.smoke(
        order=rollout.order,
        release=shipment.number,
        steps=[step.model_dump(mode="json", by_alias=True) for step in app.smoke.steps],
        values=rollout.stack.env("smoke", app),
        websocket={"path": app.websocket.path} if app.websocket else None,
        timeout=app.smoke.timeout_seconds,
    )
