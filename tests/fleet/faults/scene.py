"""Runs one cell: a command under traffic, the fault, the recovery; and says what came of it."""

import re
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.fleet.command import Ran, slipway
from tests.fleet.faults.matrix import Cell
from tests.fleet.faults.running import Running
from tests.fleet.site import Site
from tests.fleet.traffic import Traffic, traffic

RPS = 100
SOCKETS = 40
CONNECTED = 80
"""Of 40 sockets and 50 browsers."""
NEEDS_PERSON = 4
ESTABLISHED = "01"
"""As /proc/net/tcp shows it."""
ALL_CLEAR_SECONDS = 2
"""So many last seconds must be without a loss, whatever the fault took away before."""


@dataclass
class Outcome:
    """What came of a cell, as it goes to reports/faults.json."""

    cell: str
    fault: str
    moment: str
    hosts_stay_up: bool
    exit: int = 0
    serves: str = ""
    """`old`: the release from before the command; `new`: the command's own."""
    recovered: str | None = None
    """What the next command did to recover, in its own words."""
    then: str = ""
    seconds: float = 0
    """From the strike until the next command had succeeded and all hosts served."""
    sent: int = 0
    lost: int = 0
    errors: int = 0
    """Answered by the app itself with an error status."""
    sockets: int = 0
    cut: int = 0
    kinds: dict[str, int] = field(default_factory=dict[str, int])
    notes: list[str] = field(default_factory=list[str])
    problems: list[str] = field(default_factory=list[str])
    """Why the cell failed; empty: it passed."""


def run(site: Site, cell: Cell) -> Outcome:
    """Never raises for what the fleet does: that is a problem of the outcome."""
    outcome = Outcome(cell.id, cell.fault.name, cell.moment.name, cell.hosts_stay_up)
    args = _prepare(site, cell)
    before = site.live()
    struck: datetime | None = None
    site.change(cell.id)
    with _noting(outcome), traffic(site.root, rps=RPS, sockets=SOCKETS, lead=0, tail=1) as meter:
        _wait_until_users_are_there(site)
        with cell.fault.around(site) as env, _started(site, *args, env=env) as running:
            running.wait_for(cell.moment.line)
            struck, began = datetime.now(UTC), time.monotonic()
            cell.fault.strike(site, running)
            ran = running.wait()
        _judge_command(cell, ran, outcome)
        site.wait_until_healthy(90)
        live = _judge_fleet(site, cell, before, outcome)
        _judge_message(ran, live, outcome)
        outcome.seconds = round(time.monotonic() - began, 1)
        if cell.then:
            _next_command(site, cell.then, outcome)
    if hasattr(meter, "report"):
        _judge_traffic(cell, meter, struck, outcome)
    return outcome


def _prepare(site: Site, cell: Cell) -> list[str]:
    """Give hosts what the moment needs; returns the command's arguments."""
    args = list(cell.moment.args)
    if not cell.moment.needs:
        return args
    slipway(site.root, "resume")
    good = [each["number"] for each in slipway(site.root, "history", "--json").json if _was_good(each)]
    if cell.moment.needs == "warm":
        if not _is_warm(site, good):
            site.change("to be rolled back")
            site.release()
        return args
    held = {release for release, _ in _slots(site, "active") | _slots(site, "idle")}
    cold = [number for number in good if number not in held]
    while not cold:
        oldest = site.live()
        for text in ("one", "two"):
            site.change(text)
            site.release()
        cold = [oldest]
    return [*args, "--to", str(cold[0])]


def _slots(site: Site, slot: str) -> set[tuple[int, str]]:
    """Release and state of the `active` or the `idle` slot, over all hosts; release 0: an empty one."""
    hosts = slipway(site.root, "status", "--json").json["hosts"]
    return {(host[slot]["release"], host[slot]["state"]) if host[slot] else (0, "") for host in hosts}


def _is_warm(site: Site, good: list[int]) -> bool:
    """Do all hosts keep one of the `good` releases warm?"""
    idle = _slots(site, "idle")
    return len(idle) == 1 and all(state == "warm" and release in good for release, state in idle)


def _was_good(release: dict[str, Any]) -> bool:
    return release["kind"] != "rollback" and release["status"] == "promoted"


def _wait_until_users_are_there(site: Site, seconds: float = 60) -> None:
    """The meter's sockets and browsers are connected."""
    port = f"{urlsplit(site.outputs.url).port:04X}"
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        if sum(row[2].endswith(f":{port}") and row[3] == ESTABLISHED for row in rows) >= CONNECTED:
            return
        time.sleep(0.1)
    raise AssertionError("the meter did not connect")


@contextmanager
def _started(site: Site, *args: str, env: dict[str, str]) -> Generator[Running]:
    running = Running(site.root, *args, env=env)
    try:
        yield running
    finally:
        if running.kill():
            site.end_lease()


@contextmanager
def _noting(outcome: Outcome) -> Generator[None]:
    """What fails inside is a problem of the cell; the report is written all the same."""
    try:
        yield
    except (AssertionError, subprocess.SubprocessError) as failure:
        outcome.problems.append(str(failure))


def _judge_command(cell: Cell, ran: Ran, outcome: Outcome) -> None:
    outcome.exit = ran.code
    if ran.code not in cell.exits:
        outcome.problems.append(f"exit {ran.code}, not one of {cell.exits}: {ran.err[-2000:]}")
    if "Traceback" in ran.err:
        outcome.problems.append(f"a traceback: {ran.err[-2000:]}")


def _judge_message(ran: Ran, live: int, outcome: Outcome) -> None:
    """What the command said of the release that serves is true; with exit 4 it may not know."""
    said = {int(number) for number in re.findall(r"[Rr]elease (\d+) serves", ran.out)}
    if ran.code != NEEDS_PERSON and said - {live}:
        outcome.problems.append(f"the command said that {said} serves, and {live} does: {ran.out}")


def _judge_fleet(site: Site, cell: Cell, before: int, outcome: Outcome) -> int:
    """The next command sees a whole fleet, without a person; returns the live release."""
    seen = slipway(site.root, "status", "--json", "--wait", "60")
    assert seen.code == 0, f"the next `status` ended with {seen.code}: {seen.out}{seen.err[-2000:]}"
    found = seen.json
    live = found["live"]
    outcome.recovered = found["recovered"]
    outcome.serves = "old" if live == before else "new"
    expected = {0: "new", 1: "old"}.get(outcome.exit, cell.serves)
    if expected != "either" and outcome.serves != expected:
        outcome.problems.append(f"serves the {outcome.serves} release {live} after exit {outcome.exit}")
    if found["unfinished"] is not None:
        outcome.problems.append(f"release {found['unfinished']} is still unfinished")
    if found["lease"] is not None:
        outcome.problems.append(f"the lease is still held: {found['lease']}")
    # A rollback ends while its workers still change over.
    site.wait_until_worker_runs(live)
    workers = [host for host in slipway(site.root, "status", "--json").json["hosts"] if _works(host)]
    _judge_hosts([*(host for host in found["hosts"] if not _works(host)), *workers], live, outcome)
    for host in site.outputs.by_role("web"):
        serves = site.get("/health", headers={"Cookie": f"SLIPWAY_HOST={host.name}"}).json()["release"]
        if serves != live:
            outcome.problems.append(f"{host.name} serves {serves} to users; the ledger names {live}")
    return live


def _works(host: dict[str, Any]) -> bool:
    return host["role"] == "worker"


def _judge_hosts(hosts: list[dict[str, Any]], live: int, outcome: Outcome) -> None:
    for host in hosts:
        if not host["active"] or host["active"]["release"] != live:
            outcome.problems.append(f"{host['host']} says it serves {host['active']}, not {live}")
        if host["idle"] and host["idle"]["state"] not in ("warm", "draining"):
            outcome.problems.append(f"{host['host']} keeps a slot that is {host['idle']['state']}")


def _next_command(site: Site, command: str, outcome: Outcome) -> None:
    slipway(site.root, "resume")
    args = ["--json"] if command == "rollback" else ["--json", "--no-checks", "--observe", "0"]
    site.change(f"after {outcome.cell}")
    ran = slipway(site.root, command, *args)
    outcome.then = command
    assert ran.code == 0, f"the next `{command}` ended with {ran.code}: {ran.out}{ran.err[-2000:]}"
    live = ran.json["release"]
    assert site.live() == live, f"the next `{command}` put {live} live, and {site.live()} serves"


def _judge_traffic(cell: Cell, meter: Traffic, struck: datetime | None, outcome: Outcome) -> None:
    report = meter.report
    requests, sockets = report["requests"], report["sockets"]
    outcome.sent, outcome.lost, outcome.errors = requests["sent"], requests["lost"], requests["errors"]
    outcome.sockets, outcome.cut = sockets["opened"], sockets["abnormal"]
    outcome.kinds, outcome.notes = report["kinds"], report["notes"]
    if struck is None or datetime.fromisoformat(report["started"]) > struck or not sockets["opened"]:
        outcome.problems.append("there was no traffic when the fault struck")
    if cell.hosts_stay_up and (outcome.lost or outcome.errors or outcome.cut):
        outcome.problems.append(f"users lost something: {outcome.kinds}, first {report['losses'][:3]}")
    last = report["per_second"][-ALL_CLEAR_SECONDS:]
    if any(second["lost"] or second["errors"] for second in last):
        outcome.problems.append("requests were still lost at the end")
