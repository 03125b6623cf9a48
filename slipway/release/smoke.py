"""Smoke: reach the release on every web host through the candidate listener before any user does (S2)."""

from __future__ import annotations

from slipway.release.phase import Phase
from slipway.release.rollout import Rollout
from slipway.secrets.contract import compose


class Smoke(Phase):
    """Sign in, one read, one write; and the WebSocket handshake where the app has one."""

    name = "smoke"

    def run(self, rollout: Rollout) -> None:
        """Run the steps of slipway.toml on all web hosts at once."""
        app = rollout.project.app
        values = compose(app, rollout.project.stack, rollout.outputs, rollout.secrets, "smoke")
        rollout.each(
            rollout.web_hosts,
            lambda host: host.agent.smoke(
                fence=rollout.lease.fence,
                release=rollout.number,
                steps=[step.model_dump(mode="json", by_alias=True) for step in app.smoke.steps],
                values=values,
                websocket={"path": app.websocket.path} if app.websocket else None,
                timeout=app.smoke.timeout_seconds,
            ),
            doing="smoke test",
        )
