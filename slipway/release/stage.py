"""Stage: every host fetches the layers it lacks, verifies them, and lays the build in its idle slot."""

from __future__ import annotations

from slipway.fleet.fleet import FleetHost
from slipway.fleet.replies import Staged
from slipway.release.phase import Phase
from slipway.release.rollout import Rollout
from slipway.secrets.contract import compose
from slipway.settings.outputs import Role

WORTH_TELLING_SECONDS = 0.5
SCOPES_BESIDE_PROCESSES = ("task", "cron")


class Stage(Phase):
    """No user notices: the idle slot takes no traffic."""

    name = "stage"

    def run(self, rollout: Rollout) -> None:
        """Stage on all hosts at once."""
        replies = rollout.each(rollout.app_hosts, lambda host: stage_on(rollout, host), doing="staging")
        drained = max((reply.drained_seconds for reply in replies.values()), default=0.0)
        rollout.detail |= {
            "bytes": sum(reply.bytes for reply in replies.values()),
            "drained_seconds": drained,
        }
        if drained >= WORTH_TELLING_SECONDS:
            rollout.progress.line(
                f"{drained:.1f} s of it for clients and jobs of an older release to leave the slot"
            )

    def undo(self, rollout: Rollout) -> None:
        """Stop and empty the slot on every host that can be reached."""
        empty_slots(rollout, rollout.app_hosts)


def empty_slots(rollout: Rollout, hosts: list[FleetHost], release: int | None = None) -> None:
    """Stop and empty the slot that holds `release` (default: the rollout's), wherever one does."""
    number = rollout.number if release is None else release
    rollout.each(
        hosts,
        lambda host: host.agent.stop(fence=rollout.lease.fence, release=number),
        doing=f"emptying the slot of release {number}",
    )


def stage_on(rollout: Rollout, host: FleetHost, *, migrate: bool = False) -> Staged:
    """Stage the release on one host with the env of every scope that the host runs."""
    scopes = ["migrate"] if migrate else []
    return host.agent.stage(
        fence=rollout.lease.fence,
        release=rollout.number,
        build=rollout.manifest.id,
        manifest=rollout.manifest.model_dump(mode="json"),
        config=rollout.config,
        site=rollout.site,
        secret_names=secret_names(rollout),
        env=env_of(rollout, host.role, *scopes),
    )


def secret_names(rollout: Rollout) -> list[str]:
    """Variables whose values no log line may show."""
    return [name for name, var in rollout.project.app.env.items() if var.secret or var.source]


def env_of(rollout: Rollout, role: Role, *more: str) -> dict[str, dict[str, str]]:
    """By scope, the env that hosts of `role` hold."""
    app, stack = rollout.project.app, rollout.project.stack
    return {
        scope: compose(app, stack, rollout.outputs, rollout.secrets, scope)
        for scope in (*app.on_role(role), *SCOPES_BESIDE_PROCESSES, *more)
    }
