"""Migrate: move the schema once, forward only, from the new build with its env, after a backup (S1).

The app's migrations must each be safe to have under the old release, because the old release goes on serving
until the switch, and again after a rollback. One that is not carries the contract marker, and bars a rollback
past it.
"""

from __future__ import annotations

import json
import shlex

from slipway.fleet.agent_call import AgentError
from slipway.fleet.fleet import FleetHost
from slipway.release.phase import Phase
from slipway.release.rollout import Rollout
from slipway.release.stage import empty_slots, stage_on
from slipway.settings.errors import ReleaseFailed

BACKUP = "/usr/local/bin/slipway-backup"
BACKUP_SECONDS = 1800


class Migrate(Phase):
    """One host runs the command; the app's own advisory lock keeps any other runner out."""

    name = "migrate"
    undoing = "the slot that the migration ran from (the schema stays)"

    def run(self, rollout: Rollout) -> None:
        """Back up, stage on one host, run the command there; or tell why there is nothing to run."""
        migrate = rollout.project.app.migrate
        if migrate is None:
            rollout.progress.line("the app has no migrations")
            return
        if not _is_needed(rollout):
            rollout.progress.line(
                f"schema is at {rollout.head.schema_head if rollout.head else None}; nothing to run"
            )
            return
        host = migration_host(rollout)
        rollout.detail["backup"] = _back_up(rollout)
        rollout.progress.host(host.name, "staging")
        try:
            stage_on(rollout, host, migrate=True)
            rollout.progress.host(host.name, "running migrations")
            outcome = host.agent.run(
                fence=rollout.lease.fence,
                release=rollout.number,
                scope="migrate",
                argv=shlex.split(migrate.command),
                directory=migrate.directory,
                timeout=migrate.timeout_seconds,
            )
        except AgentError as failure:
            raise _explain(rollout, host, str(failure), failure.log) from failure
        if outcome.exit != 0:
            raise _explain(rollout, host, f"the command ended with exit code {outcome.exit}", outcome.tail)
        rollout.progress.host(host.name, f"migrated in {outcome.seconds:.1f} s")

    def undo(self, rollout: Rollout) -> None:
        """Forward only: what was migrated stays, and the old release runs on it. The slot is emptied."""
        if rollout.project.app.migrate is not None and rollout.release is not None:
            empty_slots(rollout, [migration_host(rollout)])


def migration_host(rollout: Rollout) -> FleetHost:
    """The one host that runs migrations: a worker, where users are least affected."""
    return (rollout.worker_hosts or rollout.app_hosts)[0]


def _is_needed(rollout: Rollout) -> bool:
    """Has the schema or the config that the command runs with moved since the live release?"""
    if rollout.options.migrate is not None:
        return rollout.options.migrate
    if rollout.live is None:
        return True
    live = rollout.ledger.get(rollout.live)
    return live.migrations != rollout.manifest.migrations_digest or live.config != rollout.config


def _back_up(rollout: Rollout) -> dict[str, object] | None:
    """Dump the database on the host that can, and have the dump verified there."""
    database = rollout.outputs.database
    if database is None or not database.backup_host:
        return None
    rollout.progress.host(database.backup_host, "backing up the database")
    connection = rollout.fleet.host(database.backup_host).connection
    done = connection.run([BACKUP], timeout=BACKUP_SECONDS)
    if done.code != 0:
        raise ReleaseFailed(
            f"the backup before the migration failed on {database.backup_host}",
            remedy=f"see `ssh -F {rollout.outputs.ssh_config} {database.backup_host} {BACKUP}`; "
            "nothing was migrated",
            details=rollout.redactor.text(done.stderr).splitlines()[-10:],
        )
    backup: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    rollout.progress.host(database.backup_host, f"backup of {backup['bytes']} bytes verified")
    return backup


def _explain(rollout: Rollout, host: FleetHost, reason: str, log: list[str]) -> ReleaseFailed:
    return ReleaseFailed(
        f"the migration failed on {host.name}: {rollout.redactor.text(reason)}",
        remedy="mend the migration and release again; the live release was not touched. "
        "Migrations that had already been applied stay applied",
        details=[rollout.redactor.text(line) for line in log[-20:]],
    )
