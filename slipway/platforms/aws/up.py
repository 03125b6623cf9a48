"""`slipway up` of a stack on AWS: from its settings to hosts that are set up and data that lets them in.

Everything in it may be cut off at any moment and done again: what is as it should be is left alone.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from slipway.fleet.fleet import Fleet
from slipway.platforms import data_host as entries
from slipway.platforms.aws.data_logins import (
    ensure_proxy_login,
    ensure_roles,
    ensure_token,
    ensure_uploads_key,
)
from slipway.platforms.aws.health import site_problem, wait_for_hosts, wait_for_targets
from slipway.platforms.aws.kits import ROLES, bring_in_line, ensure_ca_bundle, fleet_plan, publish_kits
from slipway.platforms.aws.open import builds_bucket, cloud_of, read_outputs
from slipway.platforms.aws.session import AwsSession, check_account, session_of
from slipway.platforms.aws.tunnel import find_plugin
from slipway.platforms.data_host import ensure_platform_secrets
from slipway.platforms.state_folder import only_one
from slipway.progress import Progress
from slipway.secrets.store import SecretStore
from slipway.settings import BadInput, Outputs, Project, Stack
from slipway.settings.aws_rules import left_placeholders
from slipway.settings.controls import STOPPING
from slipway.settings.violations import dotted
from slipway.storage.bucket import Bucket
from slipway.storage.ledger import Ledger

if TYPE_CHECKING:
    from hosts.plan import FleetPlan


SECRETS = (entries.DATABASE_OWNER, entries.DATABASE_APP, entries.REDIS, entries.LOAD_KEY)
"""The platform's own here; buckets on S3 need none, for hosts reach them by their role."""


def up(project: Project, store: SecretStore, progress: Progress, *, break_lock: str = "") -> Outputs:
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


def can_provision() -> bool:
    """Is the engine's command line here?"""
    return shutil.which("pulumi") is not None


def refuse_placeholders(stack: Stack) -> None:
    """BadInput, naming each, if settings still are an example's: they would be made for somebody else."""
    left = list(left_placeholders(stack))
    if left:
        raise BadInput(
            f"stack {stack.name} still has an example's values, so nothing was made",
            details=[f"slipway:{dotted(key)}: {problem}" for key, problem, _ in left],
            remedy=f"put your own into Pulumi.{stack.name}.yaml",
        )


def provision(project: Project, progress: Progress, *, break_lock: str = "") -> bool:
    """Have the engine make what infra/ says. False: the pulumi CLI is not here, and what exists must do.

    `break_lock`: owner of a lock on the stack's state that a person knows to be dead.
    """
    if not can_provision():
        progress.line("provisioning is skipped: the pulumi CLI is not on PATH; existing resources are used")
        return False
    if (project.root / "infra" / "__main__.py").exists():
        progress.line(f"{refuse_broken_rules(project)} policy rules checked; none blocks this update")
    from slipway.platforms.pulumi.up import up as update  # noqa: PLC0415 - slow to import

    update(project, progress, break_lock=break_lock)
    return True


def refuse_broken_rules(project: Project) -> int:
    """The number of rules that the stack's program keeps. BadInput names the violations that stop an update.

    The program runs without engine, network or credentials, as for `slipway infra check`; about 10 s.
    """
    from infra.policies import RULES, World, judge  # noqa: PLC0415 - with the group infra only
    from infra.recording import record  # noqa: PLC0415

    world = World(record(project.root, project.stack.name), project.stack.purpose)
    found = [each for each in judge(world, RULES) if each.control.severity in STOPPING]
    if found:
        raise BadInput(
            f"{len(found)} policy violations are critical or high, so nothing was made",
            details=[
                f"{each.control.id} {each.where}: {each.problem}: {each.control.what_to_do}" for each in found
            ],
            remedy=f"see slipway infra check --stack {project.stack.name}",
        )
    return len(RULES)
