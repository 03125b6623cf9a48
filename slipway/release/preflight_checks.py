"""What preflight looks at. Each check is a function from the rollout to findings."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

from hosts.plan import SETUP_DIGEST
from slipway.build.manifest import migration_files
from slipway.build.source import read_source
from slipway.platforms.platform import other_secrets, platform_of
from slipway.platforms.site_certificate import WARN_DAYS, days_left
from slipway.release.preflight_finding import Finding
from slipway.release.preflight_source import app_commands, secrets_in_source, unsafe_sql
from slipway.release.prove import missing_tools
from slipway.release.rollout import Rollout
from slipway.release.setup_digests import setup_digests
from slipway.secrets.check import check as contract_findings

Check = Callable[[Rollout], Iterable[Finding]]

FREE_BYTES = 512 * 1024 * 1024


def env_contract(rollout: Rollout) -> Iterable[Finding]:
    """Every secret that the contract asks for is there and strong (P2, P4, P6)."""
    project = rollout.project
    for found in contract_findings(project.app, project.stack, rollout.secrets, other_secrets(project)):
        yield Finding(f"secret {found.name}: {found.problem}", found.remedy)


def hosts_set_up(rollout: Rollout) -> Iterable[Finding]:
    """Hosts were set up for these very settings: a release ships builds, `up` changes hosts."""
    stack = rollout.outputs.stack
    wanted = setup_digests(rollout.project, rollout.outputs, rollout.secrets)
    found = rollout.ask(
        rollout.fleet.hosts, lambda host: host.connection.run(["cat", SETUP_DIGEST]).stdout.strip()
    )
    stale = [name for name, digest in found.items() if digest != wanted.get(name)]
    if stale:
        yield Finding(
            f"{', '.join(stale)}: set up for other settings than slipway.toml and Pulumi.{stack}.yaml have",
            f"slipway up --stack {stack}",
        )


def disk(rollout: Rollout) -> Iterable[Finding]:
    """Room for a build on every host; the exact need is checked when it is staged."""
    for name, status in rollout.statuses.items():
        if status.disk.free < FREE_BYTES:
            yield Finding(
                f"{name} has {status.disk.free // 2**20} MiB free on {status.disk.path}, "
                f"{FREE_BYTES // 2**20} MiB is the least for a release",
                f"make room on {name}, or keep fewer builds (retire.keep_builds in slipway.toml)",
            )


def certificate(rollout: Rollout) -> Iterable[Finding]:
    """The site's certificate is valid and will be for a while (X1)."""
    outputs = rollout.outputs
    renewal = platform_of(rollout.project).renewal(outputs)
    name = urlsplit(outputs.url).hostname
    try:
        days = days_left(outputs)
    except ssl.SSLCertVerificationError as failure:
        yield Finding(f"the certificate of {name} is not valid: {failure.verify_message}", renewal)
        return
    except OSError as failure:
        yield Finding(f"{outputs.url} cannot be reached: {failure}", "slipway up; then slipway doctor")
        return
    if days is not None and days < WARN_DAYS:
        yield Finding(f"the certificate of {name} ends in {days:.0f} days", renewal, refuses=False)


def source_secrets(rollout: Rollout) -> Iterable[Finding]:
    """Nothing secret is in what would be shipped (P5)."""
    return secrets_in_source(rollout.project, rollout.secrets)


def migrations(rollout: Rollout) -> Iterable[Finding]:
    """New migrations do not lock tables for long (squawk). On a stack without a release nobody waits."""
    if rollout.live is None:
        return ()
    project, shipped = rollout.project, rollout.shipped_migrations()
    names = read_source(project.context).files
    files = migration_files({name: project.context / name for name in names}, project.app.migrate)
    return unsafe_sql(project, [path for id_, path in files.items() if id_ not in shipped])


def own_checks(rollout: Rollout) -> Iterable[Finding]:
    """The app's own lint, type check and tests (P1)."""
    return app_commands(rollout.project, rollout.redactor.text) if rollout.options.checks else ()


def proof(rollout: Rollout) -> Iterable[Finding]:
    """What the stack wants proved after the switch can be proved from this machine."""
    return missing_tools(rollout)


CHECKS: tuple[Check, ...] = (
    env_contract,
    hosts_set_up,
    disk,
    certificate,
    source_secrets,
    migrations,
    own_checks,
    proof,
)
