"""The release on every host, by what it serves and runs; what the agent noted is not asked (P9, S4, S8)."""

from __future__ import annotations

import re
import time
from collections.abc import Generator, Iterable, Mapping

import pytest

from checks.hosts.build_files import differing_files
from checks.hosts.running import (
    OF_DEBIAN,
    OF_SLIPWAY,
    OF_SYSTEMD,
    OF_THE_UNIT,
    Process,
    Running,
    names_of,
    read_running,
    roles_of_the_app,
)
from checks.kit.background import Background, begun_early
from checks.kit.check import check, not_evaluated
from checks.kit.hosts import Hosts
from checks.kit.roots import DATABASE
from slipway.stack import LiveStack


@begun_early
def what_runs(live: LiveStack, hosts: Hosts) -> dict[str, Running]:
    """What each host of the app runs."""
    if not hosts.of("web", "worker"):
        not_evaluated("the stack has no host that runs the app")
    return read_running(live, hosts)


@pytest.fixture(scope="module")
def running(background: Background) -> dict[str, Running]:
    return background.result(what_runs)


@check(
    "P9",
    "S4",
    severity="high",
    why="hosts on different releases give different answers to the same request",
    remedy="slipway status shows each host's release; slipway release brings all hosts to one",
    waits_for=(what_runs,),
    stands_on=(DATABASE,),
)
def test_all_hosts_run_the_live_release(live: LiveStack, running: dict[str, Running]) -> None:
    release = _release(live)
    wrong = [
        f"{name} {problem}" for name, host in running.items() for problem in _problems(live, host, release)
    ]
    assert not wrong, f"release {release} is live; {'; '.join(wrong[:4])}"


@check(
    "S4",
    severity="medium",
    why="a rollback to a release that must boot first takes seconds instead of one switch",
    remedy="slipway status; slipway logs shows why it ended; retire.hold_seconds in slipway.toml",
    required=False,
    waits_for=(what_runs,),
    stands_on=(DATABASE,),
)
def test_the_last_release_is_kept_for_a_rollback(live: LiveStack, running: dict[str, Running]) -> None:
    head = live.ledger.head()
    if head.live is None or head.previous is None:
        not_evaluated("there was only one good release yet")
    release, hold = _release(live), live.app.retire.hold_seconds
    for name, host in running.items():
        kept = [slot for slot, noted in host.slots.items() if noted["state"] in ("warm", "draining")]
        since = host.slots.get(host.recorded, {}).get("since")
        if not kept and since and time.time() > since + hold:
            not_evaluated(f"the last switch is longer ago than retire.hold_seconds ({hold} s)")
        assert kept, f"{name} keeps no release beside the live one"
        if not host.serving or host.slots[kept[0]]["state"] == "draining":
            continue
        answering = [process for _, process in host.behind(kept[0]) if process and process.release != release]
        assert answering, (
            f"no process takes connections in slot {kept[0]} of {name}, which its agent notes as warm"
        )


@check(
    "S8",
    "P9",
    "I9",
    severity="high",
    why="a setting changed by hand makes one host differ, and the next release removes it",
    remedy="change the setting in slipway.toml or the stack, and run slipway release",
    waits_for=(what_runs,),
)
def test_hosts_run_the_released_configuration(live: LiveStack, running: dict[str, Running]) -> None:
    release, before = _release(live), live.ledger.head().previous
    wrong: list[str] = []
    config = live.ledger.get(release).config
    for name, host in running.items():
        noted = host.slots.get(host.recorded, {}).get("config")
        wrong += [f"{name} notes configuration {noted}, {config} was released"] * (noted != config)
    # What is warm takes over with the next rollback, with the values that it has by then.
    for number in (release, *([before] if before else [])):
        wrong += _unlike_their_release(live, running, number)
    assert not wrong, "; ".join(sorted(set(wrong))[:4])


def _unlike_their_release(live: LiveStack, running: Mapping[str, Running], release: int) -> list[str]:
    own = {name: live.env_as_released(release, name) for name in live.app.processes}
    of_build = _of_build(live, release)
    wrong: list[str] = []
    for host in running.values():
        for process in host.processes:
            if process.release != release or process.name not in own:
                continue
            wanted = own[process.name]
            wrong += (
                _unlike_its_file(host, process, of_build)
                if wanted is None
                else _unlike_the_release(host, process, wanted, of_build)
            )
    if None in own.values():  # the released values are not known any more, but all hosts must have the same
        wrong += _unlike_each_other(running.values(), release)
    return wrong


@begun_early
def files_of_the_live_build(live: LiveStack, hosts: Hosts) -> dict[str, list[str]]:
    """By host, the files of the live release's build that are not what its layers hold."""
    build = live.ledger.get(_release(live)).build
    wanted = live.files_of(build)
    return hosts.each(lambda host: differing_files(host, build, wanted), *roles_of_the_app(live))


@check(
    "P9",
    "S4",
    severity="critical",
    asvs="15.2.4",
    standard="SLSA: verified artifacts",
    why="a changed file runs with the app's secrets, and every record still says that all is as released",
    remedy="slipway release stages the build again and replaces what was changed; find out who changed it",
    waits_for=(files_of_the_live_build,),
)
def test_hosts_have_the_files_that_were_built(background: Background) -> None:
    wrong = background.result(files_of_the_live_build)
    said = [
        f"{host}: {', '.join(names[:3])}{' …' if len(names) > 3 else ''}"
        for host, names in wrong.items()
        if names
    ]
    assert not said, f"not as built: {'; '.join(said)}"


def _release(live: LiveStack) -> int:
    release = live.release
    assert release is not None, "nothing was released yet"
    return release


def _problems(live: LiveStack, host: Running, release: int) -> Generator[str]:
    facts, of_the_app = live.outputs.host(host.host), roles_of_the_app(live)
    takes_requests = "web" in of_the_app and facts.is_any("web")
    if takes_requests and not host.serving:
        yield "has no HAProxy that answers"
        return
    if takes_requests:
        yield from _serving_problems(host, release)
    if facts.is_any("worker"):
        yield from _worker_problems(live, host, release)
    noted = host.slots.get(host.recorded, {}).get("release")
    if noted != release:
        yield f"notes release {noted} as live, by which the next command would go"


def _serving_problems(host: Running, release: int) -> Generator[str]:
    """How what a web host serves differs from `release`."""
    slot = host.serving
    behind = host.behind(slot)
    processes = [process for _, process in behind]
    if not behind or not any(processes):
        yield f"has no process of the app behind its live slot {slot}"
    for place, process in behind:
        if process is None:
            yield f"sends requests to {place}, where no process of the app listens"
        elif process.release != release:
            yield f"serves release {process.release}"
    if host.answered_by not in (f"slot_{slot}", f"last_{slot}"):
        yield f"sent a request to {host.answered_by or 'no backend'}, and its map says {slot}"
    if host.after_a_restart != slot:
        yield f"would serve slot {host.after_a_restart} after a restart of HAProxy"
    if host.recorded != slot:
        yield f"serves slot {slot}, and its agent notes {host.recorded or 'none'}"


def _worker_problems(live: LiveStack, host: Running, release: int) -> Generator[str]:
    """How the workers that a host runs differ from those of `release`."""
    for name, wanted in live.app.on_role("worker").items():
        own = [process for process in host.processes if process.name == name and process.is_main]
        right = [process for process in own if process.release == release]
        if len(right) < wanted.instances:
            yield f"runs {len(right)} of {wanted.instances} instances of {name}"
        others = [process for process in own if process.release != release]
        if others and not wanted.overlap:
            yield f"also runs release {others[0].release} of {name} ({names_of(others)})"


def _of_build(live: LiveStack, release: int) -> set[str]:
    """Variables that processes have from the build: its image's, Debian's packages', its commands' own."""
    manifest = live.manifest(live.ledger.get(release).build)
    # Python is Debian's own where no standalone one can be had.
    of_debian = manifest.runtime.name in ("debian", "python") or live.app.runtime.apt
    of_commands = {name for each in manifest.processes.values() for name in assigned_by(each.command or "")}
    return {*(manifest.image.env if manifest.image else ()), *(OF_DEBIAN if of_debian else ()), *of_commands}


def assigned_by(command: str) -> set[str]:
    """Variables that a command sets: `A=1 app`, `env A=1 app`, `export A=1; app`. Pure."""
    return set(re.findall(r"(?:^|[\s;&|(])([A-Za-z_]\w*)=", command))


def _unlike_the_release(
    host: Running, process: Process, wanted: dict[str, str], of_build: set[str]
) -> Generator[str]:
    where = f"{process.unit} on {host.host}"
    held = {name: mark for name, mark in process.env.items() if name in wanted}
    # A child may have been given less.
    needed = wanted if process.is_main else {name: wanted[name] for name in held}
    if differ := host.differing(held, needed):
        yield f"{where} runs with another {', '.join(differ[:3])} than was released"
    yield from _unknown(process, where, {*wanted, *of_build})
    file = host.env_file(process.slot, process.name)
    if file is None:
        yield f"{host.host} has no env file of {process.name}"
        return
    differ = host.differing({name: mark for name, mark in file.items() if name not in OF_SLIPWAY}, wanted)
    if differ:
        file_of = f"the env file of {process.name} on {host.host}"
        yield f"{file_of} has another {', '.join(differ[:3])} than was released"


def _unlike_its_file(host: Running, process: Process, of_build: set[str]) -> Generator[str]:
    """Where the released values are not known any more: the process against its own file."""
    where = f"{process.unit} on {host.host}"
    file = host.env_file(process.slot, process.name) or {}
    differ = sorted(name for name, mark in file.items() if process.env.get(name) != mark)
    if differ and process.is_main:
        yield f"{where} runs with another {', '.join(differ[:3])} than its env file has"
    yield from _unknown(process, where, {*file, *of_build})


def _unknown(process: Process, where: str, known: set[str]) -> Generator[str]:
    more = set(process.env) - known - OF_SLIPWAY - OF_THE_UNIT - OF_SYSTEMD
    if more and process.is_main:
        yield f"{where} runs with {', '.join(sorted(more)[:3])}, which was not released"


def _unlike_each_other(hosts: Iterable[Running], release: int) -> list[str]:
    """Variables that one process has with different values on different hosts."""
    of_host = OF_SLIPWAY | OF_THE_UNIT | OF_SYSTEMD
    seen: dict[tuple[str, str], set[str]] = {}
    for host in hosts:
        for process in host.processes:
            if process.release == release and process.is_main:
                for name, mark in process.env.items():
                    if name not in of_host:
                        seen.setdefault((process.name, name), set()).add(mark)
    return [f"hosts run {name} with different {var}" for (name, var), marks in seen.items() if len(marks) > 1]
