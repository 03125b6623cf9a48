"""Migrate: move the schema once, forward only, from the new build with its env, after a backup (S1).

The old release goes on serving until the switch, and serves again after a rollback, so each migration must be
safe under it. One that is not carries the contract marker, and bars a rollback past it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from slipway.fleet.agent_call import AgentError
from slipway.fleet.fleet import FleetHost
from slipway.release.rollout import Phase, Rollout, Shipment
from slipway.release.stage import stage_on
from slipway.settings import ReleaseFailed

if TYPE_CHECKING:
    from slipway.build.manifest import MigrateCommand
    from slipway.storage.records import Release

BACKUP = "/usr/local/bin/slipway-backup"
BACKUP_SECONDS = 1800


@dataclass(frozen=True)
class Schema:
    """The schema that the release runs on."""

    head: str | None
    """The build's newest migration."""
    detail: Mapping[str, object]
    """For the ledger: the backup that was taken, if any."""


@dataclass(frozen=True)
class Migrate(Phase[Schema]):
    """One host runs the command; the app's own advisory lock excludes any other runner."""

    name = "migrate"
    undoing = "the slot that the migration ran from (the schema stays)"

    shipment: Shipment

    def run(self, rollout: Rollout) -> Schema:
        head = self.shipment.manifest.schema_head
        command = self.shipment.manifest.migrate
        if command is None:
            rollout.progress.line("the app has no migrations")
            return Schema(head, {})
        live = rollout.ledger.get(rollout.live) if rollout.live else None
        why = why_run(self.shipment.release, live, wanted=rollout.options.migrate)
        if why is None:
            rollout.progress.line(
                f"nothing has changed beside the migrations since release {rollout.live} "
                f"(schema {rollout.head.schema_head}); nothing to run"
            )
            return Schema(head, {})
        rollout.progress.line(why)
        backup = _back_up(rollout)
        self._apply(rollout, command)
        return Schema(head, {"backup": backup, "why": why})

    def detail(self, result: Schema) -> Mapping[str, object]:
        return result.detail

    def _apply(self, rollout: Rollout, command: MigrateCommand) -> None:
        host = migration_host(rollout)
        rollout.progress.host(host.name, "staging")
        try:
            stage_on(rollout, self.shipment, host, "migrate")
            rollout.progress.host(host.name, "running migrations")
            outcome = host.agent.run(
                order=rollout.order,
                release=self.shipment.number,
                scope="migrate",
                timeout=command.timeout_seconds,
            )
        except AgentError as failure:
            raise _explain(rollout, host, str(failure), failure.log) from failure
        if outcome.exit != 0:
            raise _explain(rollout, host, f"the command ended with exit code {outcome.exit}", outcome.tail)
        rollout.progress.host(host.name, f"migrated in {outcome.seconds:.1f} s")


def why_run(new: Release, live: Release | None, *, wanted: bool | None) -> str | None:
    """Why the migrate command runs for `new`; None: the schema cannot have moved since `live`.

    A build in which no migration was found gives no reason to skip it. `wanted` None: decide here.
    """
    if wanted is not None:
        return "--migrate: the command runs" if wanted else None
    if live is None:
        return "no release is live: the command runs"
    if not new.migrations:
        return "no file matches migrate.files, so the command runs every time"
    if live.migrations != new.migrations:
        return f"migrations have changed since release {live.number}: the command runs"
    if live.config != new.config:
        return f"settings have changed since release {live.number}: the command runs"
    return None


def migration_host(rollout: Rollout) -> FleetHost:
    """The one host that runs migrations: a worker, where users are least affected."""
    return (rollout.hosts.workers or rollout.hosts.all)[0]


def _back_up(rollout: Rollout) -> dict[str, object] | None:
    """Dump the database on its backup host and verify the dump there, or have the platform take a snapshot.

    None: the stack has no database.
    """
    database = rollout.outputs.database
    if database is None:
        return None
    if not database.backup_host:
        return rollout.stack.platform.snapshot_database(rollout.outputs, rollout.progress)
    rollout.progress.host(database.backup_host, "backing up the database")
    connection = rollout.stack.fleet.host(database.backup_host).connection
    done = connection.run([BACKUP], timeout=BACKUP_SECONDS)
    if done.code != 0:
        raise ReleaseFailed(
            f"the backup before the migration failed on {database.backup_host}",
            remedy=f"see `ssh -F {rollout.outputs.ssh_config} {database.backup_host} {BACKUP}`; "
            "nothing was migrated",
            details=rollout.redact(done.stderr).splitlines()[-10:],
        )
    backup: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    rollout.progress.host(database.backup_host, f"backup of {backup['bytes']} bytes verified")
    return backup


def _explain(rollout: Rollout, host: FleetHost, reason: str, log: list[str]) -> ReleaseFailed:
    return ReleaseFailed(
        f"the migration failed on {host.name}: {rollout.redact(reason)}",
        remedy="fix the migration and release again; the live release was not touched. "
        "Migrations that had already been applied stay applied",
        details=rollout.redact("\n".join(log)).splitlines()[-20:],
    )
