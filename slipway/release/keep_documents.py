"""Keeping the boot documents: where hosts start by themselves, they are told what is live."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slipway.release.boot_document import boot_document, nothing_live
from slipway.release.rollout import Rollout
from slipway.release.stage import env_of, secret_names
from slipway.secrets.contract import config_version
from slipway.settings.outputs import Role
from slipway.storage.records import Release

if TYPE_CHECKING:
    from slipway.build.manifest import Manifest


def keep_boot_documents(rollout: Rollout, live: Release | None) -> None:
    """From now on a new host starts `live`, under this command's fence; None: it starts nothing."""
    keep = rollout.keep_boot_documents
    if keep is None:
        return
    if live is None:
        keep({role: nothing_live(role, fence=rollout.lease.fence) for role in rollout.roles})
        return
    _warn_of_another_config(rollout, live)
    manifest = _manifest(rollout, live)
    keep({role: _document(rollout, role, live, manifest) for role in rollout.roles})


def _document(rollout: Rollout, role: Role, live: Release, manifest: Manifest) -> str:
    return boot_document(
        role,
        live,
        manifest,
        fence=rollout.lease.fence,
        hold_seconds=rollout.project.app.retire.hold_seconds,
        site=rollout.site,
        secret_names=secret_names(rollout),
        env=env_of(rollout, role),
    )


def _manifest(rollout: Rollout, live: Release) -> Manifest:
    from slipway.build.manifest import load_manifest  # noqa: PLC0415 - only where it is needed

    if rollout.build is not None and rollout.manifest.id == live.build:
        return rollout.manifest
    return load_manifest(rollout.bucket, live.build)


def _warn_of_another_config(rollout: Rollout, live: Release) -> None:
    """Values of secrets are kept once, not once a release."""
    project = rollout.project
    now = config_version(project.app, project.stack, rollout.outputs, rollout.secrets)
    if live.config != now:
        rollout.warnings.append(
            f"settings or secrets have changed since release {live.number}: hosts that start from now on "
            "run it with today's values"
        )
