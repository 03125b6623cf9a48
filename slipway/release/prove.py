"""Prove: after the switch, checks and a load test of what users now get; a miss takes the release back.

The stack says what is to be proved (`slipway:prove`); by default nothing is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from slipway import checking
from slipway.release.rollout import Phase, Rollout, Shipment
from slipway.settings import Prove as Wanted, ReleaseFailed, SlipwayError

DEFAULT = Wanted(checks="high", load="smoke")
"""What `--prove` means on a stack whose settings want nothing proved."""
TOOLS = {"checks": ("pytest", "testinfra", "httpx"), "load": ("locust", "websocket")}
"""By dependency group, what must be installed where a release is started."""
DETAILS, TAIL, WIDTH = 8, 6, 400


@dataclass(frozen=True)
class Proof:
    """What was proved; None: not wanted."""

    checks: Mapping[str, int] | None = None
    """How many checks came to each verdict."""
    load: Mapping[str, object] | None = None
    """Profile and exit code of the load test."""


@dataclass(frozen=True)
class Prove(Phase[Proof]):
    """The release serves already, but is not the last known good yet: what fails here is switched back."""

    name = "prove"
    touches_fleet = False

    shipment: Shipment

    def run(self, rollout: Rollout) -> Proof:
        """Checks first: they take seconds, and a load test of what is wrong proves nothing."""
        wanted = wanted_by(rollout)
        if wanted.asks_nothing:
            rollout.progress.line("nothing to prove (slipway:prove)")
        checks = load = None
        if wanted.checks != "none":
            checks = self._by_checks(rollout, wanted)
            rollout.lease.check()
        if wanted.load != "none":
            load = self._by_load(rollout, wanted)
        return Proof(checks, load)

    def detail(self, result: Proof) -> Mapping[str, object]:
        found = {"checks": result.checks, "load": result.load}
        return {kind: value for kind, value in found.items() if value is not None}

    def _by_checks(self, rollout: Rollout, wanted: Wanted) -> dict[str, int]:
        folder = rollout.stack.state_dir / "checks"
        log = _log(folder)
        rollout.progress.line(f"checks of severity {wanted.checks} and worse …")
        with log.open("w") as output:
            severity = cast("checking.Severity", wanted.checks)
            checked = checking.run(rollout.project, severity=severity, folder=folder, output=output)
        verdicts = [str(result["verdict"]) for result in checked.document.get("results", [])]
        counts = {verdict: verdicts.count(verdict) for verdict in dict.fromkeys(verdicts)}
        if not checked.good:
            failed = [_sentence(each) for each in checked.failed]
            what = f"{len(failed)} {'check' if len(failed) == 1 else 'checks'} failed"
            if failed:
                raise self._miss(rollout, what, failed, checked.report)
            if untried := [_sentence(each) for each in checked.untried]:
                what = f"{len(untried)} {'check' if len(untried) == 1 else 'checks'} could not be tried"
                raise self._miss(rollout, what, untried, checked.report)
            raise self._miss(rollout, "the checks proved nothing", _tail(log), log)
        sums = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
        rollout.progress.line(f"checks: {sums}")
        return counts

    def _by_load(self, rollout: Rollout, wanted: Wanted) -> dict[str, object]:
        from slipway.traffic.command import LoadOptions, run  # noqa: PLC0415 - only where it is wanted

        folder = rollout.stack.state_dir / "load"
        log = _log(folder)
        rollout.progress.line(f"load test, profile {wanted.load} …")
        # Whoever wrote the profile into the stack's settings knows what it does to the stack.
        load = LoadOptions(profile=wanted.load, seconds=wanted.load_seconds, i_know=True, folder=folder)
        try:
            with log.open("w") as output:
                done = run(rollout.project, load, output=output)
        except ReleaseFailed:
            raise
        except SlipwayError as failure:
            what = f"the load test: {failure.message}"
            raise self._miss(rollout, what, list(failure.details), log) from failure
        if done.interrupted:
            raise KeyboardInterrupt
        if not done.good:
            what = f"load test, profile {wanted.load}: {done.meaning}"
            misses = done.misses
            raise self._miss(rollout, what, misses or _tail(log), done.report if misses else log)
        rollout.progress.line(f"load: {done.meaning}")
        return {"profile": wanted.load, "exit_code": done.code}

    def _miss(self, rollout: Rollout, what: str, details: list[str], report: Path) -> ReleaseFailed:
        lines = [rollout.redact(line)[:WIDTH] for line in details]
        more = [f"and {len(lines) - DETAILS} more"] if len(lines) > DETAILS else []
        return ReleaseFailed(
            f"release {self.shipment.number} did not prove itself: {what}",
            remedy="fix what is named here and release again; --no-prove releases without this proof",
            details=[*lines[:DETAILS], *more, f"report: {report}"],
        )


def wanted_by(rollout: Rollout) -> Wanted:
    """What the stack and the person who releases want proved."""
    wanted = rollout.project.stack.prove
    if rollout.options.prove is False:
        return Wanted()
    return DEFAULT if rollout.options.prove and wanted.asks_nothing else wanted


def _sentence(check: checking.Failed) -> str:
    where = f" on {check.host}" if check.host else ""
    return f"{check.id}{where}: {check.reason}" + (f" → {check.remedy}" if check.remedy else "")


def _log(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "release.log"


def _tail(log: Path) -> list[str]:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-TAIL:]
