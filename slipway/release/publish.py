"""Publish: upload the layers that the builds bucket lacks, then give the release its number."""

from __future__ import annotations

from slipway.build.publish import publish
from slipway.release.phase import Phase
from slipway.release.rollout import Rollout


class Publish(Phase):
    """From here on the release exists in the ledger."""

    name = "publish"
    touches_fleet = False

    def run(self, rollout: Rollout) -> None:
        """Upload what is missing; append the release."""
        if rollout.build is None:
            raise RuntimeError("publish comes after build")
        report = publish(rollout.build, rollout.bucket, progress=rollout.progress)
        manifest = rollout.manifest
        rollout.release = rollout.ledger.create(
            kind="release",
            build=manifest.id,
            config=rollout.config,
            git_sha=rollout.build.source.sha if rollout.build.source else manifest.git.sha,
            schema_head=manifest.schema_head,
            migrations=manifest.migrations_digest,
            contracts=[migration.id for migration in manifest.migrations if migration.contract],
        )
        rollout.record = rollout.release
        rollout.detail |= {"uploaded": report.uploaded, "bytes": report.bytes}
        rollout.progress.line(f"release {rollout.number} of build {manifest.id}")
