"""How release, rollback and status grow with the number of web hosts: on this machine, and in a model.

    uv run python -m bench.growth [--hosts 2 4 8 16] [--simulated 2 16 100 1000] [--runs 3] [--check] [--json]

Brings up a fleet of its own as containers, with the example app, and adds web hosts to it; takes it away at
the end. All hosts share this machine's processors, so wall time grows by their work too: both are recorded.
The model (`bench/growth_model.py`) runs slipway's own fan-out on a virtual clock, with what was recorded on
the first fleet. Ends with 1 if a goal is missed in it: a release on 16 hosts, each of which has its own
processors, within 1.5 times the time on 2; on 1,000 hosts 10 s to switch, and 60 s to stage 5 MB.
"""

from __future__ import annotations

import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.growth_model import Recorded, Took, fleet_of, run
from bench.record import note, parser, record, record_spread
from bench.release import THE_APPS_OWN
from slipway.fleet.fleet import FleetHost
from slipway.platforms.platform import platform_of
from slipway.progress import Silent
from slipway.secrets import age
from slipway.settings import open_project
from slipway.stack import LiveStack
from tests.fleet.conftest import refresh_app, write_project

ASKED = 20
"""How often each host is asked while the cost of a command is recorded."""
AGENT = {
    "staging": "stage",
    "booting": "boot",
    "smoke test": "smoke",
    "switching": "switch",
    "pruning old builds": "prune",
}
"""The agent's command by what progress says of a host."""
_TOOK = re.compile(r"\] \w+ +(?P<host>\w+): (?P<doing>.+) took (?P<seconds>[\d.]+) s$")
TIMES, OF = 1.5, (16, 2)
SWITCH_SECONDS, STAGE_SECONDS, MOST = 10.0, 60.0, 1000


@dataclass(frozen=True)
class Ran:
    """A command: its wall time, report, progress lines; processor time and memory on the operator's side."""

    seconds: float
    report: dict[str, Any]
    lines: list[str]
    cpu: float
    """What slipway and its ssh clients used, without the processes that keep connections."""
    bytes: int
    """The largest of these processes."""

    @property
    def beyond(self) -> float:
        """Seconds that are not the app's own."""
        phases: dict[str, float] = self.report["phases"]
        return self.seconds - sum(phases.get(name, 0.0) for name in THE_APPS_OWN)


def main() -> int:
    wanted = parser(__doc__)
    wanted.add_argument("--hosts", type=int, nargs="+", default=[2, 4, 8, 16])
    wanted.add_argument("--simulated", type=int, nargs="*", default=[2, 16, 100, 1000])
    wanted.add_argument("--runs", type=int, default=3)
    wanted.add_argument("--check", action="store_true", help="time `slipway check` too")
    given = wanted.parse_args()
    recorded: Recorded | None = None
    with tempfile.TemporaryDirectory(prefix="slipway-growth-") as name, project(Path(name)) as root:
        for web in sorted(given.hosts):
            note(f"{web} web hosts")
            write_project(root, "growth", web=web, **ports_of(root))
            slipway(root, "up")
            first = recorded is None
            measured = real(root, web, given.runs, check=given.check)
            if first:
                recorded = record_work(root, measured)
    assert recorded
    found = {web: simulated(web, recorded) for web in sorted(given.simulated)}
    return verdict(found)


# on this machine


@contextmanager
def project(root: Path) -> Generator[Path]:
    """A project with the board; its hosts are taken down at the end."""
    os.environ |= {"SLIPWAY_AGE_KEY_FILE": str(root / "age.key"), "SLIPWAY_STACK": "local", "CI": ""}
    write_project(root, "growth")
    (root / "age.key").write_text(f"{age.new_key()}\n")
    refresh_app(root)
    try:
        yield root
    finally:
        platform_of(open_project("local", root)).take_down(Silent(), volumes=True)


def ports_of(root: Path) -> dict[str, int]:
    """The ports that the project has already, so that hosts stay."""
    return {name: int(port) for name, port in re.findall(r"(\w+_port): (\d+)", _settings(root))}


def _settings(root: Path) -> str:
    return (root / "Pulumi.local.yaml").read_text()


def real(root: Path, web: int, runs: int, *, check: bool) -> list[Ran]:
    """Records releases, rollbacks and the rest on the fleet as it is; the releases."""
    slipway(root, "secrets", "generate")
    changing = root / "board" / "public" / "bench.txt"
    releases: list[Ran] = []
    rollbacks: list[Ran] = []
    skews: list[float] = []
    spent: list[float] = []
    for number in range(runs + 2):
        changing.write_text(f"{time.time_ns()}\n")
        shipped = slipway(root, "release", "--observe", "0", "--no-checks", "--json")
        if number < 2:
            continue  # both slots become warm
        releases.append(shipped)
        before = work_of_hosts(root)
        rollbacks.append(slipway(root, "rollback", "--json"))
        spent.append((work_of_hosts(root) - before) / web)
        skews.append(skew(root))
        slipway(root, "resume")
        note(f"  release {shipped.seconds:.2f} s, beyond {shipped.beyond:.2f} s")
        note(f"  rollback {rollbacks[-1].seconds:.2f} s")
    how = f"{runs} runs, {web} web hosts, load average {os.getloadavg()[0]:.0f}"
    name = f"growth.{web}"
    record_spread(f"{name}.beyond", [each.beyond for each in releases], "s", how)
    record_spread(f"{name}.rollback", [each.seconds for each in rollbacks], "s", how)
    record_spread(f"{name}.skew", skews, "s", f"{how}; first to last web host, of a rollback")
    record(f"{name}.cpu", statistics.median(each.cpu for each in releases), "s", f"{how}; operator's side")
    record(f"{name}.memory", max(each.bytes for each in releases) / 1e6, "MB", f"{how}; operator's side")
    record(
        f"{name}.host", statistics.median(spent), "s", f"{how}; a web host's processor time, of a rollback"
    )
    looks = [slipway(root, "status", "--json") for _ in range(runs)]
    record_spread(f"{name}.status", [each.seconds for each in looks], "s", how)
    if check:
        record(f"{name}.check", slipway(root, "check", check=False).seconds, "s", f"1 run, {web} web hosts")
    return releases


def skew(root: Path) -> float:
    """Seconds between the first and the last web host's newest switch; all containers have one clock."""
    live = LiveStack(open_project("local", root))
    when = [status.slots[status.active or ""].since or 0.0 for status in _statuses(live).values()]
    return max(when) - min(when)


def _statuses(live: LiveStack) -> dict[str, Any]:
    return live.fleet.each(live.fleet.web, lambda host: host.agent.status())


def work_of_hosts(root: Path) -> float:
    """Seconds of processor time that all web hosts have used since they started."""
    fleet = LiveStack(open_project("local", root)).fleet
    files = "/sys/fs/cgroup/cpu.stat /sys/fs/cgroup/cpuacct/cpuacct.usage"

    def used(host: FleetHost) -> float:
        said = host.connection.run(["sh", "-c", f"cat {files} 2>/dev/null"]).stdout
        if usec := re.search(r"usage_usec (\d+)", said):
            return int(usec[1]) / 1e6
        return int(re.findall(r"^\d+$", said, re.MULTILINE)[0]) / 1e9

    return sum(fleet.each(fleet.web, used).values())


def slipway(root: Path, *arguments: str, check: bool = True) -> Ran:
    """Run `slipway <arguments>` in `root`; ends this program with its error if it fails."""
    began = time.perf_counter()
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        command = [sys.executable, "-m", "slipway", *arguments]
        running = subprocess.Popen(command, cwd=root, stdout=out, stderr=err, stdin=subprocess.DEVNULL)
        _, state, used = os.wait4(running.pid, 0)
        running.returncode = os.waitstatus_to_exitcode(state)
        seconds = time.perf_counter() - began
        out.seek(0)
        err.seek(0)
        said, lines = out.read(), err.read()
    if check and running.returncode:
        sys.exit(f"`slipway {' '.join(arguments)}` ended with {running.returncode}:\n{said}{lines}")
    report: dict[str, Any] = json.loads(said) if "--json" in arguments else {}
    return Ran(seconds, report, lines.splitlines(), used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)


# the model


def record_work(root: Path, releases: list[Ran]) -> Recorded:
    """What the model needs to know: from the releases' progress, and by asking each host often."""
    live = LiveStack(open_project("local", root))
    hosts = live.fleet.web
    live.fleet.close()
    _, connect, _ = _cost(lambda: [host.connection.open() for host in hosts], len(hosts))
    interpreter, client, wall = _cost(
        lambda: [host.agent.status() for _ in range(ASKED) for host in hosts], ASKED * len(hosts)
    )
    took: dict[str, list[float]] = {"status": [wall]}
    for line in (line for each in releases for line in each.lines):
        if (found := _TOOK.search(line)) and (command := AGENT.get(found["doing"])):
            took.setdefault(command, []).append(float(found["seconds"]))
    agent = {command: statistics.median(seconds) for command, seconds in took.items()}
    recorded = Recorded(agent=agent, connect=connect, client=client, interpreter=interpreter)
    how = f"load average {os.getloadavg()[0]:.0f}, {len(hosts)} web hosts"
    for command, seconds in agent.items():
        record(f"growth.recorded.{command}", seconds, "s", f"{how}; a host's work")
    record("growth.recorded.connect", connect, "s", f"{how}; processor time for opening a connection")
    record("growth.recorded.client", client, "s", f"{how}; processor time of one ssh client")
    record("growth.recorded.interpreter", interpreter, "s", f"{how}; slipway's own, for one command")
    return recorded


def _cost(work: Callable[[], object], times: int) -> tuple[float, float, float]:
    """Processor time of this process and of its children, and wall time; in seconds for one of `times`."""
    own, children, began = time.process_time(), _children(), time.perf_counter()
    work()
    ended = time.perf_counter()
    return (time.process_time() - own) / times, (_children() - children) / times, (ended - began) / times


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def simulated(web: int, recorded: Recorded) -> tuple[Took, Took]:
    """A release and a rollback on `web` web hosts, over kept connections; and a release over none."""
    with fleet_of(web, recorded) as world:
        shipped, back = run(world, "release"), run(world, "rollback")
        cold, looked = run(world, "release", cold=True), run(world, "status")
    how, name = f"{web} web hosts on a virtual clock", f"growth.model.{web}"
    for phase in ("stage", "boot", "smoke"):
        record(f"{name}.{phase}", shipped.phases[phase], "s", how)
    record(f"{name}.switch", shipped.switch, "s", f"{how}; until the last web host has switched")
    record(f"{name}.skew", shipped.skew, "s", f"{how}; first to last web host")
    record(f"{name}.beyond", beyond(shipped), "s", how)
    record(f"{name}.beyond.cold", beyond(cold), "s", f"{how}; connections had to be opened")
    record(f"{name}.rollback", back.seconds, "s", how)
    record(f"{name}.status", looked.seconds, "s", how)
    record(f"{name}.clients", shipped.clients, "", f"{how}; ssh clients at once, at most")
    return shipped, back


def beyond(took: Took) -> float:
    """A release's seconds that are not the app's own, nor its workers'."""
    own = sum(took.phases.get(name, 0.0) for name in THE_APPS_OWN)
    workers = took.phases["switch"] - took.switch
    return took.seconds - own - workers


def verdict(found: dict[int, tuple[Took, Took]]) -> int:
    """1 if a goal is missed in the model."""
    missed: list[str] = []
    many, few = (found.get(web) for web in OF)
    if many and few:
        times = beyond(many[0]) / beyond(few[0])
        record("growth.times", times, "times", f"a release on {OF[0]} web hosts beside {OF[1]}, in the model")
        missed += ["release"] if times > TIMES else []
    if (most := found.get(MOST)) is not None:
        missed += ["switch"] if most[0].switch > SWITCH_SECONDS else []
        missed += ["stage"] if most[0].phases["stage"] > STAGE_SECONDS else []
    note(f"missed: {', '.join(missed) or 'nothing'}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
