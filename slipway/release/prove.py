"""Prove: after the switch, checks and a load test of what users now get; a miss takes the release back.

What is asked for is said by the stack (`slipway:prove`). Nothing is asked for by default.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from slipway.checking import Failed
from slipway.release.phase import Phase
from slipway.release.preflight_finding import Finding
from slipway.release.rollout import Rollout
from slipway.settings.errors import ReleaseFailed, SlipwayError
from slipway.settings.stack import Prove as Wanted

UNLESS_SAID = Wanted(checks="high", load="smoke")
"""What `--prove` asks for on a stack that asks for nothing."""
TOOLS = {"checks": ("pytest", "testinfra", "httpx"), "load": ("locust", "websocket")}
"""By dependency group, what must be installed where a release is started."""
DETAILS, TAIL, WIDTH = 8, 6, 400


class Prove(Phase):
    """The release serves already, but is not the last known good yet: what fails here is switched back."""

    name = "prove"
    touches_fleet = False

    def run(self, rollout: Rollout) -> None:
        """Checks first: they take seconds, and a load test of what is wrong proves nothing."""
        wanted = wanted_by(rollout)
        if wanted.asks_nothing:
            rollout.progress.line("nothing asked for (slipway:prove)")
            return
        if wanted.checks != "none":
            _by_checks(rollout, wanted)
            rollout.lease.check()
        if wanted.load != "none":
            _by_load(rollout, wanted)


def wanted_by(rollout: Rollout) -> Wanted:
    """What the stack and the person who releases want proved."""
    wanted = rollout.project.stack.prove
    if rollout.options.prove is False:
        return Wanted()
    return UNLESS_SAID if rollout.options.prove and wanted.asks_nothing else wanted


def missing_tools(rollout: Rollout) -> Iterator[Finding]:
    """Found before anything is touched: a release that cannot be proved would be undone at its very end."""
    wanted = wanted_by(rollout)
    for group, asked in (("checks", wanted.checks), ("load", wanted.load)):
        missing = [name for name in TOOLS[group] if asked != "none" and not importlib.util.find_spec(name)]
        if missing:
            yield Finding(
                f"slipway:prove asks for {group}, and {', '.join(missing)} is not installed here",
                f"uv sync --group {group}, or release with --no-prove",
            )


def _by_checks(rollout: Rollout, wanted: Wanted) -> None:
    from slipway.checking import Severity, run  # noqa: PLC0415 - only where it is asked for

    folder = rollout.project.state_dir / "checks"
    log = _log(folder)
    rollout.progress.line(f"checks of severity {wanted.checks} and worse …")
    with log.open("w") as output:
        checked = run(rollout.project, severity=cast("Severity", wanted.checks), folder=folder, output=output)
    verdicts = [str(result["verdict"]) for result in checked.document.get("results", [])]
    counts = {verdict: verdicts.count(verdict) for verdict in dict.fromkeys(verdicts)}
    rollout.detail |= {"checks": counts}
    if checked.good:
        rollout.progress.line(f"checks: {_sums(counts)}")
        return
    failed = [_sentence(each) for each in checked.failed]
    raise _miss(
        rollout,
        f"{len(failed)} {'check' if len(failed) == 1 else 'checks'} failed"
        if failed
        else "the checks proved nothing",
        failed or _tail(log),
        checked.report if failed else log,
    )


def _sentence(check: Failed) -> str:
    where = f" on {check.host}" if check.host else ""
    return f"{check.id}{where}: {check.reason}" + (f" → {check.remedy}" if check.remedy else "")


def _by_load(rollout: Rollout, wanted: Wanted) -> None:
    from slipway.traffic.command import Load, run  # noqa: PLC0415 - only where it is asked for

    folder = rollout.project.state_dir / "load"
    log = _log(folder)
    rollout.progress.line(f"load test, profile {wanted.load} …")
    # Whoever wrote the profile into the stack's settings knows what it does to the stack.
    load = Load(profile=wanted.load, seconds=wanted.load_seconds, i_know=True, folder=folder)
    try:
        with log.open("w") as output:
            done = run(rollout.project, load, output=output)
    except ReleaseFailed:
        raise
    except SlipwayError as failure:
        raise _miss(rollout, f"the load test: {failure.message}", list(failure.details), log) from failure
    rollout.detail |= {"load": {"profile": wanted.load, "exit_code": done.code}}
    if done.interrupted:
        raise KeyboardInterrupt
    if done.good:
        rollout.progress.line(f"load: {done.meaning}")
        return
    raise _miss(
        rollout,
        f"load test, profile {wanted.load}: {done.meaning}",
        done.misses or _tail(log),
        done.report if done.misses else log,
    )


def _miss(rollout: Rollout, what: str, details: list[str], report: Path) -> ReleaseFailed:
    told = [rollout.redactor.text(line)[:WIDTH] for line in details]
    more = [f"and {len(told) - DETAILS} more"] if len(told) > DETAILS else []
    return ReleaseFailed(
        f"release {rollout.number} did not prove itself: {what}",
        remedy="mend what is named here and release again; --no-prove releases without this proof",
        details=[*told[:DETAILS], *more, f"report: {report}"],
    )


def _sums(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {verdict}" for verdict, count in counts.items())


def _log(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "release.log"


def _tail(log: Path) -> list[str]:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-TAIL:]
