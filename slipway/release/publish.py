"""Publish: upload the layers that the builds bucket lacks, then give the release its number."""

from collections.abc import Mapping
from dataclasses import dataclass

from slipway.build.build import Build, PublishReport, publish
from slipway.build.manifest import short
from slipway.release.hold import refuse_held
from slipway.release.preflight import Checked
from slipway.release.rollout import Phase, Rollout, Shipment
from slipway.storage.records import Release


@dataclass(frozen=True)
class Published:
    """The release as the ledger has it, and what was uploaded for it."""

    shipment: Shipment
    uploads: PublishReport
    promotion: Mapping[str, object]
    """Where the build was proved before; empty: nowhere."""


@dataclass(frozen=True)
class Publish(Phase[Published]):
    """From here on the release exists in the ledger."""

    name = "publish"
    touches_fleet = False

    checked: Checked
    build: Build

    def run(self, rollout: Rollout) -> Published:
        refuse_held(rollout.stack, rollout.options, self.build.manifest.id)
        uploads = publish(
            self.build, rollout.stack.bucket, sign=rollout.stack.signing.build, progress=rollout.progress
        )
        manifest = self.build.manifest
        release = rollout.ledger.create(
            kind="release",
            build=manifest.id,
            config=self.checked.config,
            git_sha=self.build.source.sha if self.build.source else manifest.git.sha,
            dirty=self.build.source.dirty if self.build.source else manifest.git.dirty,
            schema_head=manifest.schema_head,
            migrations=manifest.migrations_digest,
            contracts=[migration.id for migration in manifest.migrations if migration.contract],
        )
        rollout.progress.line(f"release {release.number} of build {short(manifest.id)}")
        return Published(Shipment(release, lambda: manifest), uploads, rollout.options.promotion)

    def detail(self, result: Published) -> Mapping[str, object]:
        promotion = {"promotion": result.promotion} if result.promotion else {}
        return {"uploaded": result.uploads.uploaded, "bytes": result.uploads.bytes, **promotion}

    def opened(self, result: Published) -> Release:
        return result.shipment.release
