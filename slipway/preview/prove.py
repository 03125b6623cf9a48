"""Prove a preview that is open: the checks that judge one by itself, then a load test of it alone."""

from dataclasses import asdict, dataclass
from pathlib import Path

from hosts.agent.preview_record import ports_of
from slipway import checking
from slipway.build.manifest import load_manifest
from slipway.part import Part
from slipway.preview.host import PreviewHost
from slipway.preview.own import Own, key_of
from slipway.progress import Progress
from slipway.settings import BadInput, Prove, SlipwayError
from slipway.stack import LiveStack
from slipway.traffic.command import LoadOptions, run as run_load

DEFAULT = Prove(checks="high", load="smoke")
"""Where the stack's settings say nothing (`slipway:prove`)."""


@dataclass(frozen=True)
class Proved:
    """What was found; nothing in it is secret."""

    name: str
    url: str
    build: str
    good: bool
    checks: dict[str, int]
    """How many checks came to each verdict; empty: none was wanted."""
    load: str
    """What the load test came to; empty: none was wanted."""
    problems: list[str]
    """What failed, was missed or could not be tried, a sentence each."""
    reports: str

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def part_of(live: LiveStack, name: str) -> tuple[Part, str]:
    """The open preview `name` as a part of its stack, and its build. BadInput: it is not open."""
    key = key_of(live)
    found = {each.name: each for each in PreviewHost(live).listed().previews}.get(name)
    if found is None or found.state != "open":
        raise BadInput(
            f"preview {name} is {found.said}" if found else f"there is no preview {name}",
            remedy=f"slipway preview open {name} --stack {live.name}",
        )
    app = load_manifest(live.bucket, found.build).as_declared(live.app)
    own = Own(live, app, name, found.nonce, ports_of(found.number), key)
    secrets = {**live.secrets, **own.secrets}
    return Part(name=name, app=app, outputs=own.outputs, secrets=secrets), found.build


def prove_preview(live: LiveStack, name: str, progress: Progress) -> Proved:
    """What `slipway:prove` of the stack wants, by default checks of severity high and a load smoke."""
    part, build = part_of(live, name)
    wanted = DEFAULT if live.stack.prove.asks_nothing else live.stack.prove
    folder = part.of(live.project).state_dir
    folder.mkdir(parents=True, exist_ok=True)
    counts, load, problems = dict[str, int](), "", list[str]()
    if wanted.checks != "none":
        with progress.phase("checks"):
            counts, problems = _by_checks(live, part, wanted.checks, folder / "checks")
    if wanted.load != "none":
        with progress.phase("load"):
            load, missed = _by_load(live, part, wanted, folder / "load")
            problems += missed
    said = [LiveStack(live.project, part).redact(each) for each in problems]
    return Proved(name, part.outputs.url, build, not problems, counts, load, said, str(folder))


def _by_checks(
    live: LiveStack, part: Part, severity: checking.Severity, folder: Path
) -> tuple[dict[str, int], list[str]]:
    with _log(folder).open("w") as output:
        checked = checking.run(live.project, severity=severity, folder=folder, part=part, output=output)
    verdicts = [str(each["verdict"]) for each in checked.document.get("results", [])]
    found = [f"{each.id}: {each.reason} → {each.remedy}" for each in (*checked.failed, *checked.untried)]
    if not checked.good and not found:
        found = [f"the checks came to no result: {_log(folder)}"]
    return {verdict: verdicts.count(verdict) for verdict in dict.fromkeys(verdicts)}, found


def _by_load(live: LiveStack, part: Part, wanted: Prove, folder: Path) -> tuple[str, list[str]]:
    load = LoadOptions(profile=wanted.load, seconds=wanted.load_seconds, i_know=True, folder=folder)
    try:
        with _log(folder).open("w") as output:
            done = run_load(live.project, load, part=part, output=output)
    except SlipwayError as failure:
        return failure.message, [f"load test, profile {wanted.load}: {failure.message}"]
    if done.interrupted:
        raise KeyboardInterrupt
    missed = [] if done.good else [f"load test, profile {wanted.load}: {done.meaning}", *done.misses]
    return f"{wanted.load}: {done.meaning}", missed


def _log(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "run.log"
