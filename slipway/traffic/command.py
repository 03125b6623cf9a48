"""`slipway load` without its command line: who takes part, how it ends, what it came to.

done = run(open_project("preview"), LoadOptions("expected"))
done.good, done.code, done.misses, done.report
"""

import importlib.util
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, cast

from slipway.part import Part
from slipway.reports import Reports
from slipway.settings import BadInput, LoadSize, Project, SlipwayError
from slipway.stack import LiveStack
from slipway.traffic.interrupt import ending_early
from slipway.traffic.processes import Processes, WorkerHost, look_at, start
from slipway.traffic.profile import profile_of
from slipway.traffic.results import ExitCode
from slipway.traffic.target import Handover, Target, target_of

__all__ = ["LoadOptions", "LoadOutcome", "run"]

OF_THE_KIT = Path(__file__).parents[2] / "loadtests"
PROD = "prod"
LOOK_SECONDS = 0.2
SPARE_SECONDS = 120.0
"""Beyond the profile's own length: gathering workers, letting visits finish, writing reports."""


@dataclass(frozen=True)
class LoadOptions:
    """What a person may choose. Sizes that are None are those of slipway.toml."""

    profile: str = "expected"
    arrivals: float | None = None
    sockets: int | None = None
    seconds: float | None = None
    processes: int = 1
    """On each machine that sends."""
    hosts: tuple[WorkerHost, ...] = ()
    """Machines that send; none: this one."""
    web: bool = False
    """Locust's page instead of a run that starts and ends by itself."""
    i_know: bool = False
    folder: Path | None = None
    """Where reports go; None: .slipway/<stack>/load."""


@dataclass(frozen=True)
class LoadOutcome(Reports):
    """What a load test came to. Beside the reports lies a summary for CI, summary.md."""

    code: ExitCode
    interrupted: bool = False
    """By Ctrl-C or SIGTERM here."""

    @property
    def good(self) -> bool:
        """Is every threshold met?"""
        return self.code == ExitCode.PASSED

    @property
    def meaning(self) -> str:
        """The exit code in words."""
        return self.code.meaning

    @property
    def misses(self) -> list[str]:
        """What failed or had too little data, a sentence each."""
        from slipway.traffic.thresholds import ThresholdResult  # noqa: PLC0415

        thresholds = [ThresholdResult.model_validate(each) for each in self.document.get("thresholds", [])]
        return [each.sentence for each in thresholds if each.verdict in ("fail", "no data")]


def run(
    project: Project, load: LoadOptions, *, part: Part | None = None, output: int | IO[str] | None = None
) -> LoadOutcome:
    """Load the stack and wait for the end. Ctrl-C and SIGTERM end it early, with the report so far.

    `part`: a preview alone. `output` gets what the generator prints, live lines among it; default: standard
    error. Raises BadInput: prod without `i_know`, no such profile, no locust, machines that cannot take part;
    SlipwayError: it ended without a report.
    """
    if project.stack.name == PROD and not load.i_know:
        raise BadInput(
            f"a load test of the stack {PROD}: real users would feel it",
            remedy="take a preview stack, or say --i-know",
        )
    _installed()
    live = LiveStack(project, part)
    target = _sized(target_of(live), load)
    seconds = profile_of(load.profile, target.app).seconds
    hosts = look_at(load.hosts, target, project.root)
    folder = load.folder or live.state_dir / "load"
    folder.mkdir(parents=True, exist_ok=True)
    Reports(folder).forget()
    options = ["--stack", project.stack.name, "--profile", load.profile]
    options += ["--i-know"] if load.i_know else []
    leading = ["--report-dir", str(folder.resolve())]
    leading += ["--web-host", "127.0.0.1"] if load.web else ["--headless", "--only-summary"]
    ca = Path(target.ca_file).read_text() if target.ca_file else ""

    def handover(elsewhere: bool) -> Handover:
        return Handover(target=target, ca=ca if elsewhere else "")

    scenarios = find_scenarios(project)
    with ending_early() as stop:
        processes = start(
            scenarios,
            options,
            leading,
            root=project.root,
            handover=handover,
            processes=load.processes,
            hosts=hosts,
            output=output if output is not None else sys.stderr,
        )
        try:
            ended = _wait(processes, stop.is_set, None if load.web else seconds + SPARE_SECONDS)
        finally:
            processes.close()
    return _outcome(ended, folder, interrupted=stop.is_set())


def find_scenarios(project: Project) -> Path:
    """The project's own loadtests/, or those that came with slipway."""
    own = project.root / "loadtests"
    return own if own.is_dir() else OF_THE_KIT


def _installed() -> None:
    missing = [name for name in ("locust", "websocket") if not importlib.util.find_spec(name)]
    if missing:
        raise BadInput(
            f"{', '.join(missing)} is not installed",
            remedy="install slipway again: uv tool install --reinstall slipway",
        )


def _sized(target: Target, load: LoadOptions) -> Target:
    """The target with the profile as large as the person wants it."""
    chosen = {"arrivals": load.arrivals, "sockets": load.sockets, "seconds": load.seconds}
    given = {name: value for name, value in chosen.items() if value is not None}
    if not given:
        return target
    settings = target.app.load
    size = settings.profiles.get(cast("Any", load.profile), LoadSize())
    sized = LoadSize.model_validate(size.model_dump(exclude_unset=True) | given)
    profiles = {**settings.profiles, load.profile: sized}
    app = target.app.model_copy(update={"load": settings.model_copy(update={"profiles": profiles})})
    return target.model_copy(update={"app": app})


def _wait(processes: Processes, stopping: Any, longest: float | None) -> int:
    """Until the leader has ended; its exit code."""
    asked, until = False, time.monotonic() + longest if longest else float("inf")
    while (code := processes.leader.poll()) is None:
        for worker in processes.lost():
            sys.stderr.write(f"worker {worker.name} is lost (exit code {worker.process.poll()})\n")
        if not asked and (stopping() or time.monotonic() > until):
            processes.stop()
            asked, until = True, time.monotonic() + SPARE_SECONDS
        elif time.monotonic() > until:
            processes.leader.kill()
        time.sleep(LOOK_SECONDS)
    return code


def _outcome(ended: int, folder: Path, *, interrupted: bool) -> LoadOutcome:
    """The leader's exit code counts only with the report that it stands for."""
    done = LoadOutcome(folder, ExitCode.NO_DATA, interrupted)
    if done.document:
        return replace(done, code=ExitCode(done.document["exit_code"]))
    if ended == ExitCode.BAD_INPUT:
        raise BadInput("the load generator refused to begin; its own words are above")
    if interrupted:
        return done
    raise SlipwayError(f"the load generator ended without a report (exit code {ended})")
