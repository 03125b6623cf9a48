"""What preflight looks at. Each check is a function from the rollout to findings."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from slipway.pipeline.preflight_finding import Finding
from slipway.pipeline.preflight_source import app_commands, secrets_in_source, unsafe_sql
from slipway.pipeline.rollout import Rollout
from slipway.pipeline.setup_digests import setup_digests
from slipway.rented.entries import SITE
from slipway.secrets.contract import check as contract_findings
from slipway.secrets.others import other_stacks
from slipway.settings.outputs import Outputs

Check = Callable[[Rollout], Iterable[Finding]]

SETUP_DIGEST = "/var/cache/slipway/setup.digest"
FREE_BYTES = 512 * 1024 * 1024
CERTIFICATE_DAYS = 14
CONNECT_SECONDS = 5


def env_contract(rollout: Rollout) -> Iterable[Finding]:
    """Every secret that the contract asks for is there and strong (P2, P4, P6)."""
    project = rollout.project
    for found in contract_findings(project.app, project.stack, rollout.secrets, other_stacks(project)):
        yield Finding(f"secret {found.name}: {found.problem}", found.remedy)


def hosts_set_up(rollout: Rollout) -> Iterable[Finding]:
    """Hosts were set up for these very settings: a release ships builds, `up` changes hosts."""
    stack = rollout.outputs.stack
    wanted = setup_digests(rollout.project, rollout.outputs, rollout.secrets)
    found = rollout.fleet.each(
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
    url = urlsplit(rollout.outputs.url)
    if url.scheme != "https" or url.hostname is None:
        return
    host, _, port = rollout.outputs.connect.rpartition(":")
    address = (host or url.hostname, int(port or url.port or 443))
    context = ssl.create_default_context(cafile=rollout.outputs.ca_file or None)
    try:
        with (
            socket.create_connection(address, timeout=CONNECT_SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=url.hostname) as secured,
        ):
            ends = ssl.cert_time_to_seconds(str((secured.getpeercert() or {})["notAfter"]))
    except ssl.SSLCertVerificationError as failure:
        yield Finding(
            f"the certificate of {url.hostname} is not valid: {failure.verify_message}",
            renew(rollout.outputs),
        )
        return
    except OSError as failure:
        yield Finding(
            f"{rollout.outputs.url} cannot be reached: {failure}", "slipway up; then slipway doctor"
        )
        return
    days = (ends - time.time()) / 86_400
    if days < CERTIFICATE_DAYS:
        yield Finding(
            f"the certificate of {url.hostname} ends in {days:.0f} days",
            renew(rollout.outputs),
            refuses=False,
        )


def renew(outputs: Outputs) -> str:
    """How the site's certificate is renewed: by `up` if the fleet's own authority signed it."""
    if outputs.platform == "hosts" and not outputs.ca_file:
        return f"slipway secrets set {SITE} --stack {outputs.stack} < site.pem, then slipway up"
    return "slipway up renews it"


def source_secrets(rollout: Rollout) -> Iterable[Finding]:
    """Nothing secret is in what would be shipped (P5)."""
    return secrets_in_source(rollout.project, rollout.secrets)


def migrations(rollout: Rollout) -> Iterable[Finding]:
    """New migrations do not lock tables for long (squawk). On a stack without a release nobody waits."""
    if rollout.live is None:
        return ()
    shipped = rollout.shipped_migrations()
    return unsafe_sql(
        rollout.project, [path for path in _migration_files(rollout) if _id(path) not in shipped]
    )


def own_checks(rollout: Rollout) -> Iterable[Finding]:
    """The app's own lint, type check and tests (P1)."""
    return app_commands(rollout.project, rollout.redactor.text) if rollout.options.checks else ()


def _migration_files(rollout: Rollout) -> Sequence[Path]:
    migrate = rollout.project.app.migrate
    return sorted(rollout.project.context.glob(migrate.files)) if migrate else ()


def _id(path: Path) -> str:
    return path.name.removesuffix(".sql").removesuffix(".up")


CHECKS: tuple[Check, ...] = (
    env_contract,
    hosts_set_up,
    disk,
    certificate,
    source_secrets,
    migrations,
    own_checks,
)
