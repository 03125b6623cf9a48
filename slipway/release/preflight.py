"""Preflight: everything that can be known before anything is touched. All problems are reported at once.

Each check is a function from the rollout to problems; the table at the end lists them.
"""

import importlib.util
import json
import ssl
import subprocess
import sysconfig
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from hosts.agent.signature import RELEASE
from hosts.plan import SETUP_DIGEST
from slipway.build.build import run_checks
from slipway.build.manifest import migration_files
from slipway.build.runtime import architecture
from slipway.build.source import matcher, read_source, shipped_files
from slipway.platforms.platform import other_secrets, platform_of
from slipway.platforms.site import WARN_DAYS, days_left
from slipway.platforms.state_folder import setup_digests
from slipway.release.prove import TOOLS, wanted_by
from slipway.release.rollout import Phase, Rollout
from slipway.secrets.check import check as check_secrets
from slipway.secrets.scan import scan
from slipway.settings import BadInput, Migrate, ReleaseFailed, SlipwayError

FREE_BYTES = 512 * 1024 * 1024
SQUAWK_SECONDS = 60
SHOW_EVERY = 2.0
"""Seconds between two lines on how far the scan for secrets is."""
MATTERS_OF_TASTE = (
    "prefer-bigint-over-int",
    "prefer-bigint-over-smallint",
    "prefer-identity",
    "prefer-robust-stmts",
    "prefer-text-field",
    "prefer-timestamp-tz",
)
"""Rules that have nothing to do with what users feel while a migration runs."""


@dataclass(frozen=True)
class Problem:
    """Something that stands in the way of a release, or (`refuses` False) that a person is warned of."""

    text: str
    remedy: str = ""
    refuses: bool = True
    error: type[SlipwayError] = BadInput
    """What to end with if this alone stands in the way."""


Check = Callable[[Rollout], Iterable[Problem]]


@dataclass(frozen=True)
class Checked:
    """Nothing stands in the way of a release."""

    config: str
    """The version of the settings and secrets that it runs with."""


class Preflight(Phase[Checked]):
    """Refuses with every reason; warns about what a person should know."""

    name = "preflight"
    touches_fleet = False

    def run(self, rollout: Rollout) -> Checked:
        """Run every check at once; the slowest decides how long it takes."""
        with ThreadPoolExecutor(max_workers=len(CHECKS), thread_name_prefix="preflight") as pool:
            looking = [pool.submit(_safely, check, rollout) for check in CHECKS]
            try:
                found = [problem for looked in looking for problem in looked.result()]
            except BaseException:
                rollout.stopped.set()  # Ctrl-C: what still looks ends at its next step
                raise
        rollout.warnings.extend(problem.text for problem in found if not problem.refuses)
        if refused := [problem for problem in found if problem.refuses]:
            raise refusal(refused)
        return Checked(rollout.stack.config_version)


def refusal(problems: list[Problem]) -> SlipwayError:
    """One error for all problems. It is BadInput if any of them is."""
    kinds = {problem.error for problem in problems}
    error = BadInput if BadInput in kinds else kinds.pop()
    if len(problems) == 1:
        return error(problems[0].text, remedy=problems[0].remedy)
    return error(
        f"{len(problems)} problems stand in the way of a release",
        details=[f"{each.text} → {each.remedy}" if each.remedy else each.text for each in problems],
    )


def _safely(check: Check, rollout: Rollout) -> list[Problem]:
    try:
        return list(check(rollout))
    except SlipwayError as failure:
        return [Problem(failure.message, failure.remedy)]


# what users, hosts and this machine need


def env_contract(rollout: Rollout) -> Iterable[Problem]:
    """Every secret that the env contract needs is there and strong (P2, P4, P6)."""
    project = rollout.project
    for found in check_secrets(project.app, project.stack, rollout.stack.secrets, other_secrets(project)):
        yield Problem(f"secret {found.name}: {found.problem}", found.remedy)


def hosts_set_up(rollout: Rollout) -> Iterable[Problem]:
    """Hosts were set up for these very settings: a release ships builds, `up` changes hosts."""
    stack = rollout.stack.name
    wanted = setup_digests(rollout.project, rollout.outputs, rollout.stack.secrets)
    found = rollout.hosts.ask(
        rollout.stack.fleet.hosts, lambda host: host.connection.run(["cat", SETUP_DIGEST]).stdout.strip()
    )
    stale = [name for name, digest in found.items() if digest != wanted.get(name)]
    if stale:
        yield Problem(
            f"{', '.join(stale)}: set up for other settings than slipway.toml and Pulumi.{stack}.yaml have",
            f"slipway up --stack {stack}",
        )


def signer(rollout: Rollout) -> Iterable[Problem]:
    """This person's key may sign releases to the stack; a token that wants a touch wants it here."""
    rollout.stack.signing.sign(rollout.stack.name.encode(), RELEASE)
    return ()


def processors(rollout: Rollout) -> Iterable[Problem]:
    """Every host can run what this machine builds; `--build` refuses what another one built before this."""
    arch = architecture()
    for name, status in rollout.statuses.items():
        if status.arch not in ("", arch):
            yield Problem(
                f"{name} has a processor of {status.arch}, and builds of this machine are for {arch}",
                f"release from a machine of {status.arch}, for example a runner of that kind; the hosts of a"
                " stack must all be alike",
            )


def disk(rollout: Rollout) -> Iterable[Problem]:
    """Room for a build on every host; the exact need is checked when it is staged."""
    for name, status in rollout.statuses.items():
        if status.disk.free < FREE_BYTES:
            yield Problem(
                f"{name} has {status.disk.free // 2**20} MiB free on {status.disk.path}; "
                f"a release needs at least {FREE_BYTES // 2**20} MiB",
                f"make room on {name}, or keep fewer builds (retire.keep_builds in slipway.toml)",
            )


def certificate(rollout: Rollout) -> Iterable[Problem]:
    """The site's certificate is valid and will be for a while (X1)."""
    outputs = rollout.outputs
    renewal = platform_of(rollout.project).renewal(outputs)
    name = urlsplit(outputs.url).hostname
    try:
        days = days_left(outputs)
    except ssl.SSLCertVerificationError as failure:
        yield Problem(f"the certificate of {name} is not valid: {failure.verify_message}", renewal)
        return
    except OSError as failure:
        yield Problem(f"{outputs.url} cannot be reached: {failure}", "slipway up; then slipway doctor")
        return
    if days is not None and days < WARN_DAYS:
        yield Problem(f"the certificate of {name} ends in {days:.0f} days", renewal, refuses=False)


def proof(rollout: Rollout) -> Iterable[Problem]:
    """What the stack wants proved after the switch can be proved from this machine.

    Otherwise the release would be undone at its very end.
    """
    wanted = wanted_by(rollout)
    for group, kind in (("checks", wanted.checks), ("load", wanted.load)):
        missing = [name for name in TOOLS[group] if kind != "none" and not importlib.util.find_spec(name)]
        if missing:
            yield Problem(
                f"slipway:prove wants {group}, and {', '.join(missing)} is not installed here",
                "install slipway again (uv tool install --reinstall slipway), or release with --no-prove",
            )


# what would be shipped


def source_secrets(rollout: Rollout) -> Iterable[Problem]:
    """No secret value, key of a well-known kind or filled-in .env file is in what would be shipped (P5)."""
    source, app = read_source(rollout.project.context), rollout.app
    shipped = shipped_files(source, app.build)
    total = sum((source.root / name).lstat().st_size for name in shipped)
    done, shown = 0, time.monotonic()

    def seen(size: int) -> None:
        nonlocal done, shown
        if rollout.stopped.is_set():
            raise SlipwayError("the scan for secrets was stopped")
        done += size
        if time.monotonic() - shown >= SHOW_EVERY:
            shown = time.monotonic()
            text = f"searched {done >> 20} of {total >> 20} MiB for secrets"
            rollout.progress.host("source", text)

    allowed = matcher(app.preflight.allow_keys)
    for found in scan(source.root, shipped, rollout.stack.secrets, app, allowed=allowed, seen=seen):
        yield Problem(
            f"{found.where}: {found.what}",
            "remove it from the source, and rotate it: it has been seen (or, if it is harmless:"
            " preflight.allow_keys in slipway.toml)",
        )


def own_checks(rollout: Rollout) -> Iterable[Problem]:
    """The app's own lint, type check and tests pass, in a clean copy with the pinned runtime (P1).

    For a build that was made before, `slipway build` has run them.
    """
    options = rollout.options
    if not options.checks or options.build or not rollout.app.preflight.commands:
        return
    for failed in run_checks(
        rollout.project, redact=rollout.redact, line=rollout.progress.line, unsandboxed=options.unsandboxed
    ):
        yield Problem(
            f"`{failed.command}` failed:\n{failed.tail}",
            "fix it, or release with --no-checks",
            error=ReleaseFailed,
        )


def migrations(rollout: Rollout) -> Iterable[Problem]:
    """New migrations do not lock tables for long. Without a live release no user waits for a table."""
    migrate = rollout.app.migrate
    if rollout.live is None or migrate is None or migrate.lint == "off":
        return
    context, shipped = rollout.project.context, set(rollout.stack.migrations(rollout.live))
    files = migration_files({name: context / name for name in read_source(context).files}, migrate)
    yield from unsafe_sql(migrate, [path for id_, path in files.items() if id_ not in shipped])


def unsafe_sql(migrate: Migrate, files: Sequence[Path]) -> Iterable[Problem]:
    """What squawk finds in SQL files; `migrate.lint` decides whether it refuses or warns."""
    if not files:
        return
    exclude = f"--exclude={','.join(MATTERS_OF_TASTE)}"
    done = subprocess.run(
        [_squawk(), "--assume-in-transaction", "--reporter=json", exclude, *map(str, files)],
        capture_output=True,
        text=True,
        timeout=SQUAWK_SECONDS,
        check=False,
    )
    try:
        violations = json.loads(done.stdout or "[]")
    except ValueError as failure:
        raise BadInput(f"squawk could not read the migrations: {done.stderr.strip()[:300]}") from failure
    for violation in violations:
        name = Path(str(violation["file"])).name
        yield Problem(
            f"{name}:{int(violation['line']) + 1}: {violation['rule_name']}: {violation['message']}",
            str(violation.get("help") or "") or f"see https://squawkhq.com/docs/{violation['rule_name']}",
            refuses=migrate.lint == "refuse",
        )


def _squawk() -> str:
    """The linter that was installed with slipway, also when its folder is not on PATH."""
    beside = Path(sysconfig.get_path("scripts")) / "squawk"
    return str(beside) if beside.exists() else "squawk"


CHECKS: tuple[Check, ...] = (
    env_contract,
    signer,
    hosts_set_up,
    processors,
    disk,
    certificate,
    source_secrets,
    migrations,
    own_checks,
    proof,
)
