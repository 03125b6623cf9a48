"""Smoke: reach the release on every web host through the candidate listener before any user does (S2)."""

from dataclasses import dataclass

from slipway.release.rollout import Phase, Rollout, Shipment


@dataclass(frozen=True)
class Smoke(Phase[None]):
    """The smoke steps that the build carries, and the WebSocket handshake where the app has one.

    They are those of the build's own slipway.toml: a rollback tests old code by what it promised.
    """

    name = "smoke"

    shipment: Shipment

    def run(self, rollout: Rollout) -> None:
        app = self.shipment.app(rollout.app)
        values = rollout.stack.env("smoke", app)
        rollout.hosts.each(
            rollout.hosts.web,
            lambda host: host.agent.smoke(
                fence=rollout.fence,
                release=self.shipment.number,
                steps=[step.model_dump(mode="json", by_alias=True) for step in app.smoke.steps],
                values=values,
                websocket={"path": app.websocket.path} if app.websocket else None,
                timeout=app.smoke.timeout_seconds,
            ),
            doing="smoke test",
        )
