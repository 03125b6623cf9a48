"""`slipway up` of a stack on AWS: from its settings to hosts that are set up and data that lets them in.

Everything in it may be cut off at any moment and done again: what is as it should be is left alone.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from slipway.fleet.fleet import Fleet
from slipway.platforms.aws.account import check_account
from slipway.platforms.aws.arrival import wait_for_hosts
from slipway.platforms.aws.ca_bundle import ensure_ca_bundle
from slipway.platforms.aws.database_roles import ensure_proxy_login, ensure_roles
from slipway.platforms.aws.health import site_problem, wait_for_targets
from slipway.platforms.aws.open import builds_bucket, cloud_of
from slipway.platforms.aws.outputs import read_outputs
from slipway.platforms.aws.plan import ROLES, fleet_plan
from slipway.platforms.aws.plugin import find_plugin
from slipway.platforms.aws.provision import can_provision, provision, refuse_placeholders
from slipway.platforms.aws.redis_token import ensure_token
from slipway.platforms.aws.session import AwsSession, session_of
from slipway.platforms.aws.set_up import bring_in_line, publish_kits
from slipway.platforms.aws.uploads_key import ensure_uploads_key
from slipway.platforms.fleet_setup import platform_secrets as entries
from slipway.platforms.fleet_setup.lock import only_one
from slipway.platforms.fleet_setup.platform_secrets import ensure_platform_secrets
from slipway.progress import Progress
from slipway.secrets.store import SecretStore, open_store
from slipway.settings.outputs import Outputs
from slipway.settings.project import Project
from slipway.storage.bucket import Bucket
from slipway.storage.ledger import Ledger

if TYPE_CHECKING:
    from hosts.plan import FleetPlan

SECRETS = (entries.DATABASE_OWNER, entries.DATABASE_APP, entries.REDIS, entries.LOAD_KEY)
"""The platform's own here; buckets on S3 need none, for hosts reach them by their role."""


def up(project: Project, progress: Progress, *, break_lock: str = "") -> Outputs:
    """Provision, if the engine is at hand, and bring all hosts in line with the settings.

    BadInput: wrong account, no rights, never provisioned; then nothing was touched. NeedsPerson: something
    does not come up.
    """
    session = session_of(project)
    with only_one(project):
        with progress.phase("account"):
            if can_provision():
                refuse_placeholders(project.stack)
            check_account(session, project.stack)
            find_plugin()
        with progress.phase("provision"):
            provision(project, progress, break_lock=break_lock)
            outputs = read_outputs(session, project)
            bucket = builds_bucket(session, outputs)
        with progress.phase("secrets"):
            store = open_store(project)
            secrets = ensure_platform_secrets(store, SECRETS)
            _uploads_on_r2(project, outputs, store)
        with progress.phase("kits"):
            bundle = ensure_ca_bundle(bucket, session.region, project.state_dir.resolve())
            kits = publish_kits(fleet_plan(project, outputs, secrets, bundle), bucket, ROLES)
        with progress.phase("hosts"):
            outputs = wait_for_hosts(project, outputs, progress).outputs
        with progress.phase("set up"):
            fleet, plan = Fleet(outputs), fleet_plan(project, outputs, secrets, bundle)
            bring_in_line(plan, kits, fleet, progress)
        with progress.phase("data"):
            _data(session, plan, fleet, progress)
        with progress.phase("health"):
            _health(session, outputs, bucket, progress)
    return outputs


def _uploads_on_r2(project: Project, outputs: Outputs, store: SecretStore) -> None:
    cloudflare, uploads = project.stack.cloudflare, outputs.uploads
    if cloudflare and cloudflare.uploads == "r2" and uploads and uploads.access_key:
        ensure_uploads_key(store, cloudflare.account, uploads.access_key, os.environ)


def _data(session: AwsSession, plan: FleetPlan, fleet: Fleet, progress: Progress) -> None:
    """Database roles and Redis' password, through whichever host is there."""
    cloud, outputs, host = cloud_of(plan.outputs), plan.outputs, (fleet.web or fleet.hosts)[0]
    if cloud.database_secret:
        ensure_proxy_login(session, plan, cloud.database_secret)
    if cloud.master_secret:
        progress.host(host.name, "database roles")
        ensure_roles(session, plan, host, address=cloud.database_host, master_secret=cloud.master_secret)
    if cloud.cache and outputs.redis:
        progress.host(host.name, "asking Redis who may come in")
        ensure_token(session, cloud.cache, outputs.redis.url, plan.secret(entries.REDIS), host, progress)


def _health(session: AwsSession, outputs: Outputs, bucket: Bucket, progress: Progress) -> None:
    if Ledger(bucket, outputs.stack).live() is None:
        progress.line(f"nothing is live yet: slipway release --stack {outputs.stack}")
    else:
        wait_for_targets(session, cloud_of(outputs), outputs, progress)
    if problem := site_problem(outputs):
        progress.line(f"the site cannot be reached: {problem}")
