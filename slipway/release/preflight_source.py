"""The part of preflight that reads the app's source: its own checks, stray secrets, SQL that locks tables."""

from __future__ import annotations

import json
import subprocess
import sysconfig
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from slipway.release.preflight_finding import Finding
from slipway.settings.errors import BadInput, ReleaseFailed
from slipway.settings.project import Project

SQUAWK_SECONDS = 60
MATTERS_OF_TASTE = (
    "prefer-bigint-over-int",
    "prefer-bigint-over-smallint",
    "prefer-identity",
    "prefer-robust-stmts",
    "prefer-text-field",
    "prefer-timestamp-tz",
)
"""Rules that have nothing to do with what users feel while a migration runs."""


def secrets_in_source(project: Project, secrets: Mapping[str, str]) -> Iterable[Finding]:
    """Secret values, keys of well-known kinds and filled-in .env files among the files that would ship."""
    from slipway.secrets.scan import scan  # noqa: PLC0415 - only a release needs it

    for found in scan(project, secrets):
        yield Finding(
            f"{found.where}: {found.what}", "remove it from the source, and rotate it: it has been seen"
        )


def unsafe_sql(project: Project, files: Sequence[Path]) -> Iterable[Finding]:
    """What squawk says of the new migrations; `migrate.lint` decides whether it refuses or warns."""
    migrate = project.app.migrate
    if migrate is None or migrate.lint == "off" or not files:
        return
    done = subprocess.run(
        [
            _squawk(),
            "--assume-in-transaction",
            "--reporter=json",
            f"--exclude={','.join(MATTERS_OF_TASTE)}",
            *map(str, files),
        ],
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
        yield Finding(
            f"{name}:{int(violation['line']) + 1}: {violation['rule_name']}: {violation['message']}",
            str(violation.get("help") or "") or f"see https://squawkhq.com/docs/{violation['rule_name']}",
            refuses=migrate.lint == "refuse",
        )


def _squawk() -> str:
    """The linter that was installed with slipway, also when its folder is not on PATH."""
    beside = Path(sysconfig.get_path("scripts")) / "squawk"
    return str(beside) if beside.exists() else "squawk"


def app_commands(project: Project, redact: Callable[[str], str]) -> Iterable[Finding]:
    """Run the app's preflight commands in a clean copy of its context, with the pinned runtime."""
    if not project.app.preflight.commands:
        return
    from slipway.build.build import run_checks  # noqa: PLC0415 - only a release needs it

    for failed in run_checks(project, redact=redact):
        yield Finding(
            f"`{failed.command}` failed:\n{failed.tail}",
            "mend it, or release with --no-checks",
            error=ReleaseFailed,
        )
