"""The stack: its secrets; and, once it is up, its hosts, clocks, certificate and lease."""

import ssl
import time
from collections.abc import Iterable
from urllib.parse import urlsplit

from hosts.agent.signature import RELEASE
from slipway.adopt.missing import missing
from slipway.fleet.fleet import FleetError, FleetHost
from slipway.platforms.platform import Diagnosis, fail, ok, platform_of, warn
from slipway.platforms.site import WARN_DAYS, days_left
from slipway.release.repair import on_hosts
from slipway.secrets.check import check
from slipway.secrets.signing import signed, signers_file, trusts
from slipway.settings import Project
from slipway.stack import LiveStack
from slipway.storage.bucket import Damaged
from slipway.storage.hold import read_holds
from slipway.storage.lease import read_lease
from slipway.storage.records import Head
from slipway.storage.survey import survey

SKEW_WARN_SECONDS = 2.0
SKEW_FAIL_SECONDS = 30.0
NEWEST_RECORDS = 20
"""Records of the ledger that are read; older ones matter for the history alone."""


def repository(project: Project) -> Iterable[Diagnosis]:
    """The app's repository has what a release needs."""
    for each in missing(project):
        yield (fail if each.refuses else warn)(each.what, each.remedy)


def secrets(project: Project) -> Iterable[Diagnosis]:
    """Every secret that the app asks for is there, strong and its own."""
    found = check(project.app, project.stack, platform_of(project).secrets)
    for finding in found:
        yield fail(f"secret {finding}", finding.remedy)
    if not found:
        yield ok("every secret that the app asks for is there and strong")


def signing_key(project: Project) -> Iterable[Diagnosis]:
    """This person's key may sign releases to the stack."""
    stack = project.stack.name
    if not signers_file(project).exists():
        yield warn(
            f"stack {stack} has no signers yet", f"slipway up --stack {stack} makes the file; commit it"
        )
        return
    signer, signature = signed(project, stack.encode(), RELEASE)
    if trusts(project, stack.encode(), signature, signer, RELEASE):
        yield ok(f"{signer} may sign releases to {stack}")
    else:
        yield fail(
            f"the key of {signer} may sign no release to {stack}: it has expired, or is for another purpose",
            f"add a new key to {signers_file(project)}, and slipway up --stack {stack}",
        )


def brought_up(opened: LiveStack) -> Iterable[Diagnosis]:
    """The stack has outputs: `slipway up` or Pulumi made it."""
    outputs = opened.outputs
    yield ok(f"stack {outputs.stack} is up at {outputs.url}, {len(outputs.hosts)} hosts")
    for name, why in opened.absent.items():
        yield warn(f"{name} is {why}", f"slipway status --stack {outputs.stack} in a few minutes")
    if not outputs.hosts:
        yield fail("the stack has no host", f"slipway up --stack {outputs.stack}")


def hosts(opened: LiveStack) -> Iterable[Diagnosis]:
    """Every host is reached by ssh, and its clock agrees with this machine's."""
    fleet = opened.fleet
    try:
        skews = fleet.each(fleet.hosts, _skew)
    except FleetError as error:
        for line in error.details:
            yield fail(f"host {line}", error.remedy or f"slipway up --stack {opened.outputs.stack}")
        return
    yield ok(f"all {len(skews)} hosts answer: {', '.join(skews)}")
    for name, skew in skews.items():
        if abs(skew) > SKEW_WARN_SECONDS:
            level = fail if abs(skew) > SKEW_FAIL_SECONDS else warn
            yield level(
                f"the clock of {name} is {skew:+.1f} s off this machine's", f"timedatectl on {name}, and here"
            )


def _skew(host: FleetHost) -> float:
    """Seconds the host's clock is ahead, judged by the middle of the round trip."""
    host.connection.open()
    before = time.time()
    said = host.connection.run(["date", "+%s.%N"], timeout=10).stdout
    return float(said) - (before + time.time()) / 2


def certificate(opened: LiveStack) -> Iterable[Diagnosis]:
    """The site's certificate is valid for its name and for a while."""
    outputs = opened.outputs
    renewal = opened.platform.renewal(outputs)
    name = urlsplit(outputs.url).hostname
    try:
        days = days_left(outputs)
    except ssl.SSLCertVerificationError as error:
        yield fail(f"the certificate of {name} is not valid: {error.verify_message}", renewal)
        return
    except OSError as error:
        yield fail(f"{outputs.url} cannot be reached: {error}", f"slipway up --stack {outputs.stack}")
        return
    if days is None:
        yield warn(f"{outputs.url} is served without TLS", "set slipway:domain, and bring the stack up again")
        return
    said = f"the certificate of {name} lasts {days:.0f} more days"
    yield warn(said, renewal) if days < WARN_DAYS else ok(said)


def lease(opened: LiveStack) -> Iterable[Diagnosis]:
    """No command holds the stack, or left it half-way."""
    held = read_lease(opened.bucket, opened.outputs.stack)
    if held is None:
        yield ok("the stack's lease is free")
        return
    age = opened.bucket.server_time() - held.heartbeat
    yield warn(
        f"the lease is held by {held.owner} (`{held.command}`), last renewed {max(age, 0):.0f} s ago",
        "if that command is dead, its lease expires by itself; the next command finishes or undoes its work",
    )


def holds(opened: LiveStack) -> Iterable[Diagnosis]:
    """No release waits for a person who holds the stack, or has to decide after a rollback."""
    try:
        standing = read_holds(opened.bucket, opened.outputs.stack).standing(opened.ledger.head().live)
    except Damaged:
        return  # `ledger` reports it
    for hold in standing:
        yield warn(
            f"releases are refused: the stack is held {hold}",
            f"when they may go on: slipway resume --stack {opened.outputs.stack}",
        )


def ledger(opened: LiveStack) -> Iterable[Diagnosis]:
    """Lease, head, hold and newest records can be read, and the hosts serve what the head names."""
    name = opened.outputs.stack
    found = survey(opened.bucket, name, newest=NEWEST_RECORDS)
    repair = f"slipway ledger repair --stack {name}"
    for damage in found.damaged:
        yield fail(damage.message, repair)
    if found.damaged:
        return
    held = read_lease(opened.bucket, name)
    left = found.newest and not found.progress(found.newest).ended
    if left and held is None:
        yield fail(
            f"release {found.newest} was left unfinished by a command that has ended",
            f"slipway status --stack {name}: it is finished or undone",
        )
    if left or held is not None:
        return
    live = found.head.live if isinstance(found.head, Head) else None
    try:
        statuses = opened.statuses()
    except FleetError:
        return  # `hosts` reports it
    serving = on_hosts(statuses).serving
    wrong = [f"{host} serves release {release}" for host, release in serving.items() if release != live]
    if wrong:
        yield fail(
            f"the ledger names release {live or 'none'} as live, but {', '.join(wrong)}",
            repair if live is None else f"slipway status --stack {name}: it sends hosts to release {live}",
        )
    else:
        yield ok(f"the ledger is whole; release {live or 'none'} is live on every web host")
