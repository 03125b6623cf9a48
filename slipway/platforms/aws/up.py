"""`slipway up` of a stack on AWS: from its settings to hosts that are set up and data that lets them in.

Everything in it may be cut off at any moment and done again: what is as it should be is left alone.
"""

import os
import shutil
import time

from hosts.kit.archive import kit_digest
from hosts.plan import FleetPlan
from slipway.build.sandbox import command_caches
from slipway.build.worker import build_worker
from slipway.fleet.fleet import Fleet
from slipway.platforms.aws.account import make_linked_roles, refuse_small_account
from slipway.platforms.aws.alarms import try_to_turn_on_alarms
from slipway.platforms.aws.data_logins import (
    ensure_proxy_login,
    ensure_roles,
    ensure_token,
    ensure_uploads_key,
)
from slipway.platforms.aws.images import Images
from slipway.platforms.aws.kits import ROLES, bring_in_line, ensure_ca_bundle, fleet_plan, publish_kits
from slipway.platforms.aws.open import STARTING, builds_bucket, cloud_of, read_outputs, with_hosts
from slipway.platforms.aws.session import AwsRefused, AwsSession, check_account, names_of, session_of
from slipway.platforms.aws.tunnel import find_plugin
from slipway.platforms.aws.zone import refuse_foreign_rulesets
from slipway.platforms.data_host import DATABASE_APP, DATABASE_OWNER, DATABASE_PREVIEWS, LOAD_KEY, REDIS
from slipway.platforms.platform import Opened
from slipway.platforms.pulumi import refuse_missing
from slipway.platforms.site import site_problem
from slipway.platforms.state_folder import only_one
from slipway.progress import Progress
from slipway.secrets.derived import PREVIEWS_KEY
from slipway.secrets.signing import ensure_signers
from slipway.secrets.store import SecretStore, ensure_random
from slipway.settings import BadInput, Cloud, NeedsPerson, Outputs, Project, Stack
from slipway.settings.aws_fit import BAKED
from slipway.settings.aws_rules import left_placeholders
from slipway.settings.controls import STOPPING
from slipway.settings.violations import dotted
from slipway.storage.bucket import Bucket
from slipway.storage.ledger import Ledger

SECRETS = (DATABASE_OWNER, DATABASE_APP, REDIS, LOAD_KEY)
"""The platform's own here; buckets on S3 need none, for hosts reach them by their role."""
OF_PREVIEWS = (DATABASE_PREVIEWS, PREVIEWS_KEY)
"""And of a stack that carries previews."""


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
                refuse_unkept_zones(project.stack)
            check_account(session, project.stack)
            refuse_unbaked(project)
            find_plugin()
            if can_provision():
                if is_new(session, project):
                    refuse_small_account(session, project.stack)
                    refuse_foreign_rulesets(project.stack, os.environ)
                make_linked_roles(session, progress)
        with progress.phase("provision"):
            provision(project, progress, break_lock=break_lock)
            outputs = read_outputs(session, project)
            bucket = builds_bucket(session, outputs)
        with progress.phase("secrets"):
            names = (*SECRETS, *OF_PREVIEWS) if project.stack.previews else SECRETS
            secrets = ensure_random(store, names)
            _uploads_on_r2(project, outputs, store)
        if said := ensure_signers(project):
            progress.line(said)
        with progress.phase("kits"):
            bundle = ensure_ca_bundle(bucket, session.region, project)
            plan_of_kits = fleet_plan(project, outputs, secrets, bundle)
            kits = publish_kits(project, plan_of_kits, bucket, ROLES)
            say_older_images(project, plan_of_kits, progress)
        with progress.phase("hosts"):
            outputs = wait_for_hosts(project, outputs, progress).outputs
        with progress.phase("set up"):
            fleet, plan = Fleet(outputs), fleet_plan(project, outputs, secrets, bundle)
            bring_in_line(plan, kits, fleet, progress)
        with progress.phase("data"):
            _data(session, plan, fleet, progress)
        with progress.phase("health"):
            wait_until_healthy(session, project, outputs, bucket, progress)
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
        ensure_token(session, cloud.cache, outputs.redis.url, plan.secret(REDIS), host, progress)


def wait_until_healthy(
    session: AwsSession, project: Project, outputs: Outputs, bucket: Bucket, progress: Progress
) -> None:
    """Return once the load balancer finds the hosts healthy, if they are to have requests by now."""
    if project.stack.previews:
        wait_for_targets(session, cloud_of(outputs), outputs, progress)
    elif Ledger(bucket, outputs.stack).live() is None:
        progress.line(f"nothing is live yet: slipway release --stack {outputs.stack}")
    else:
        if why := try_to_turn_on_alarms(session, names_of(project.stack).fleet):
            progress.line(why)
        wait_for_targets(session, cloud_of(outputs), outputs, progress)
    if problem := site_problem(outputs):
        progress.line(problem)


def is_new(session: AwsSession, project: Project) -> bool:
    """Has the stack never been provisioned? Its outputs are then in no parameter."""
    try:
        session.call("ssm", "get_parameter", Name=names_of(project.stack).outputs_parameter)
    except AwsRefused as refused:
        return refused.code == "ParameterNotFound"
    return False


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


def refuse_unkept_zones(stack: Stack) -> None:
    """BadInput without ids of zones: what AWS lists first today may be another place tomorrow."""
    if stack.aws and not stack.aws.network.zone_ids:
        raise BadInput(
            f"stack {stack.name} names no zones (slipway:aws.network.zone_ids), so nothing was made",
            remedy=f"slipway bootstrap --stack {stack.name} asks AWS once and writes them into its file",
        )


def refuse_unbaked(project: Project) -> None:
    """BadInput if hosts are to boot baked images and there is none: a group could start no host."""
    if project.stack.aws and project.stack.aws.image == BAKED and (missing := Images(project).missing()):
        raise BadInput(
            f"slipway:aws.image is {BAKED}, and no image is baked for {' and '.join(missing)} hosts",
            remedy="remove it, slipway up, then slipway image bake",
        )


def say_older_images(project: Project, plan: FleetPlan, progress: Progress) -> None:
    """Name roles whose new hosts boot an image of an older set-up: they install what has changed since."""
    if project.stack.aws and project.stack.aws.image == BAKED:
        named = {image.role: image.setup for image in Images(project).found() if image.named}
        older = [
            role for role in ROLES if role in named and not kit_digest(plan, role).startswith(named[role])
        ]
        for role in older:
            progress.line(
                f"{role} hosts boot an older image: slipway image bake --stack {project.stack.name}"
            )


def provision(project: Project, progress: Progress, *, break_lock: str = "") -> bool:
    """Have the engine make what infra/ says. False: the pulumi CLI is not here, and what exists must do.

    `break_lock`: owner of a lock on the stack's state that a person knows to be dead.
    """
    if not can_provision():
        progress.line("provisioning is skipped: the pulumi CLI is not on PATH; existing resources are used")
        return False
    cloudflare = project.stack.cloudflare
    if cloudflare and cloudflare.worker:
        caches = command_caches(project, progress.line)
        build_worker(project.app, project.app_dir, caches, progress.line)
    if (project.root / "infra" / "__main__.py").exists():
        progress.line(f"{refuse_broken_rules(project)} policy rules checked; none blocks this update")
    refuse_missing()
    from slipway.platforms.pulumi.up import up as update  # noqa: PLC0415 - the package pulumi takes 0.4 s

    update(project, progress, break_lock=break_lock)
    return True


def refuse_broken_rules(project: Project) -> int:
    """The number of rules that the stack's program keeps. BadInput names what stops an update.

    The program runs without engine, network or credentials, as for `slipway infra check`; about 10 s.
    """
    from infra.policies import RULES, World, judge  # noqa: PLC0415 - with the group infra only
    from infra.proofs import prove  # noqa: PLC0415
    from infra.recording import record  # noqa: PLC0415

    graph = record(project.root, project.stack.name)
    world = World(graph, project.stack.purpose)
    remedy = f"see slipway infra check --stack {project.stack.name}"
    found = [each for each in judge(world, RULES) if each.control.severity in STOPPING]
    if found:
        raise BadInput(
            f"{len(found)} policy violations are critical or high, so nothing was made",
            details=[
                f"{each.control.id} {each.where}: {each.problem}: {each.control.what_to_do}" for each in found
            ],
            remedy=remedy,
        )
    if problems := list(prove(graph)):
        raise BadInput(
            f"{len(problems)} values or connections are not as AWS wants them, so nothing was made",
            details=[str(each) for each in problems],
            remedy=remedy,
        )
    return len(RULES)


HEALTHY_SECONDS = 300
POLL_SECONDS = 3.0


def wait_for_targets(session: AwsSession, cloud: Cloud, outputs: Outputs, progress: Progress) -> None:
    """Return once every web host is healthy to the load balancer; NeedsPerson names those that are not."""
    names = {host.ssh_host: host.name for host in outputs.by_role("web")}
    ends = time.monotonic() + HEALTHY_SECONDS
    before: dict[str, str] = {}
    while True:
        sick = unhealthy(session, cloud, names)
        for name, why in sick.items():
            if before.get(name) != why:
                progress.host(name, why)
        if not sick:
            return
        if time.monotonic() > ends:
            raise NeedsPerson(
                f"the load balancer finds {', '.join(sick)} not healthy",
                details=[f"{name}: {why}" for name, why in sick.items()],
                remedy=f"slipway logs --stack {outputs.stack}, and slipway status",
            )
        before = sick
        time.sleep(POLL_SECONDS)


def unhealthy(session: AwsSession, cloud: Cloud, names: dict[str, str]) -> dict[str, str]:
    """By host name, what the load balancer has against it. `names` is by instance id."""
    found = session.call("elbv2", "describe_target_health", TargetGroupArn=cloud.target_group)
    states = {
        one["Target"]["Id"]: one.get("TargetHealth", {}) for one in found.get("TargetHealthDescriptions", [])
    }
    sick: dict[str, str] = {}
    for instance, name in names.items():
        state = states.get(instance)
        if state is None:
            sick[name] = "is not a target of the load balancer yet"
        elif state.get("State") != "healthy":
            why = state.get("Description") or state.get("Reason") or "no reason given"
            sick[name] = f"{state.get('State')}: {why}"
    return sick


ARRIVAL_SECONDS = 900
ARRIVAL_POLL_SECONDS = 5.0


def wait_for_hosts(project: Project, outputs: Outputs, progress: Progress) -> Opened:
    """The outputs with all hosts, once none is still starting; NeedsPerson names those that never come."""
    ends = time.monotonic() + ARRIVAL_SECONDS
    reported: dict[str, str] = {}
    while True:
        opened = with_hosts(project, outputs)
        for name, why in opened.absent.items():
            if reported.get(name) != why:
                progress.host(name, why)
        reported = dict(opened.absent)
        starting = [name for name, why in opened.absent.items() if why.startswith(STARTING)]
        if not starting and opened.outputs.hosts:
            return opened
        if time.monotonic() > ends:
            late = ", ".join(starting) or "any host"
            raise NeedsPerson(
                f"{late} did not become ready within {ARRIVAL_SECONDS // 60} minutes",
                details=[f"{name}: {why}" for name, why in opened.absent.items()],
                remedy="the instance's system log in the EC2 console says how far its set-up came",
            )
        time.sleep(ARRIVAL_POLL_SECONDS)
