"""A simulated host: the agent's own code over units, a HAProxy and a disk that the kernel runs."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from greenlet import GreenletExit

from hosts.agent import layers, main as agent_main, program, systemd
from hosts.agent.errors import AgentError, Interrupted
from hosts.agent.host import Host, Paths
from hosts.agent.json_object import JsonObject
from hosts.agent.state import State
from slipway.fleet.process import Completed
from tests.simulation.kernel import Event, Process

if TYPE_CHECKING:
    from tests.simulation.world import World

RETIRE_EVERY = 60.0
REBOOT_SECONDS = 8.0


@dataclass
class App:
    """How one release behaves; it is the same on every host."""

    boots: bool = True
    passes_smoke: bool = True
    works: bool = True
    """Do its workers stay up?"""
    holds: bool = True
    """Does it hold under observation?"""
    job_seconds: float = 1.0
    """The longest job of its workers, for which a stop waits."""


@dataclass
class Unit:
    """A unit that systemd runs."""

    name: str
    release: int
    state: str = "active"
    """active, deactivating, or failed (and started again)."""
    stopped: Event | None = None
    restarts: int = 0


@dataclass
class SimHost:
    """One host."""

    world: World
    name: str
    role: str
    root: Path
    is_up: bool = True
    cut_off_until: float = 0.0
    skew: float = 0.0
    slow: float = 1.0
    """Factor on how long anything takes."""
    is_full: bool = False
    units: dict[str, Unit] = field(default_factory=dict[str, Unit])
    map: dict[str, str] = field(default_factory=dict[str, str])
    processes: list[Process] = field(default_factory=list[Process])
    proved: set[int] = field(default_factory=set[int])
    """Releases that passed their smoke test here."""
    accounts: set[str] = field(default_factory=set[str])
    open_files: dict[int, Process] = field(default_factory=dict[int, Process])

    def __post_init__(self) -> None:
        self.paths = Paths(str(self.root))
        self.random = random.Random(f"{self.world.seed}/{self.name}")
        for folder in (self.paths.etc, self.paths.units, self.paths.lib, self.paths.srv, self.paths.run):
            Path(folder).mkdir(parents=True, exist_ok=True)
        Path(self.paths.map).parent.mkdir(parents=True, exist_ok=True)
        builds = {"bucket": "b", "endpoint": "http://127.0.0.1:9", "access_key": "a", "secret_key": "s"}
        facts = {
            **{"host": self.name, "role": self.role, "fleet": "sim"},
            **{"site": "app.test", "builds": builds},
        }
        Path(self.paths.host).write_text(json.dumps(facts))
        self._read_map()
        self._retire_later()

    # what anyone may see

    @property
    def roles(self) -> list[str]:
        """What it does."""
        return self.role.split("+")

    @property
    def state(self) -> State:
        return State.load(self.paths)

    @property
    def serves(self) -> int | None:
        """The release in the active slot."""
        live = self.state.live
        return live.release if live else None

    @property
    def goes_to(self) -> int | None:
        """The release that an open handover of workers leads to."""
        handover = self.state.handover or {}
        slot = self.state.slots.get(str(handover.get("from" if handover.get("phase") == "undoing" else "to")))
        return slot.release if slot else None

    @property
    def users_reach(self) -> int | None:
        """The release to which HAProxy routes."""
        unit = self.units.get(f"slipway-web@{self.map.get('active')}-1.service")
        return unit.release if unit and self.is_up and "web" in self.roles else None

    @property
    def working(self) -> set[int]:
        """The releases whose workers run, or still finish a job."""
        workers = [unit for name, unit in self.units.items() if not name.startswith("slipway-web@")]
        return {unit.release for unit in workers if unit.state != "failed"} if self.is_up else set()

    @property
    def is_reachable(self) -> bool:
        return self.is_up and self.world.kernel.now >= self.cut_off_until

    # the agent

    def run_agent(self, command: str, request: bytes, answered: Callable[[Completed], None]) -> Process:
        """Start the agent; `answered` is called with what it prints, if it lives to print it."""

        def run() -> None:
            module, function = agent_main.COMMANDS[command]
            try:
                act = getattr(__import__(f"hosts.agent.{module}", fromlist=[function]), function)
                asked = JsonObject.parse(request, command)
                answer: dict[str, object] = {"ok": True, **act(self.paths, Host(self.paths), asked)}
                if command == "smoke":
                    self.proved.add(asked.whole("release"))
            except AgentError as error:
                answer = {"ok": False, "error": error.to_json()}
            except Interrupted:
                answer = {"ok": False, "error": AgentError("interrupted", "was stopped").to_json()}
            except OSError as error:
                answer = {"ok": False, "error": AgentError("internal", str(error)).to_json()}
            text = json.dumps(answer)
            self.world.say(f"{self.name} {command} {_short(request)} → {_verdict(answer)}")
            answered(Completed(f"{text}\n", "", 0 if answer["ok"] else 1, 0.0))

        process = self.world.kernel.start(f"{self.name}:{command}", run)
        self.processes.append(process)
        process.at_end.append(lambda: self._ended(process))
        self.world.machine[process.pid] = self
        return process

    def reboot(self) -> None:
        """Everything in memory is lost; what is on the disk is started again."""
        self.world.say(f"{self.name} reboots")
        self.is_up = False
        for process in list(self.processes):
            self.world.kernel.kill(process)
        self.units.clear()
        self.world.kernel.at(REBOOT_SECONDS * self.slow, self._come_up)

    def _come_up(self) -> None:
        self.is_up = self.world.has_changed = True
        shutil.rmtree(self.paths.run, ignore_errors=True)
        Path(self.paths.run).mkdir()
        self._read_map()
        self.run_agent("restore", b"{}", lambda _: None)

    def _read_map(self) -> None:
        self.map = {"active": "none", "idle": "blue"}
        if Path(self.paths.map).exists():
            lines = Path(self.paths.map).read_text().splitlines()
            self.map |= dict(line.split(None, 1) for line in lines)  # pyright: ignore[reportArgumentType]

    def _retire_later(self) -> None:
        def retire() -> None:
            if self.is_up and self.world.timers:
                self.run_agent("retire", b"{}", lambda _: None)
            self._retire_later()

        self.world.kernel.at(RETIRE_EVERY, retire)

    def _ended(self, process: Process) -> None:
        self.processes.remove(process)
        for handle in [handle for handle, owner in self.open_files.items() if owner is process]:
            self.close(handle)

    # files

    def opened(self, handle: int) -> int:
        self.open_files[handle] = self.world.kernel.process
        return handle

    def close(self, handle: int) -> None:
        """As os.close, once: a killed process's files are closed already."""
        if self.open_files.pop(handle, None) is not None:
            self.world.real_close(handle)

    # systemd

    def pause(self, shortest: float, longest: float) -> None:
        self.world.kernel.sleep(self.random.uniform(shortest, longest) * self.slow)

    def start_units(self, names: list[str], *, block: bool = True) -> None:
        for name in names:
            unit = self.units.get(name)
            while unit is not None and unit.state == "deactivating" and unit.stopped:
                unit.stopped.wait()
                unit = self.units.get(name)
            if unit is None or unit.state == "failed":
                self._start(name)
        if block:
            self.pause(0.01, 0.1)

    def _start(self, name: str) -> None:
        slot = name.partition("@")[2].partition("-")[0]
        release = self.state.slots[slot].release
        unit = self.units[name] = Unit(name, release)
        self.world.has_changed = True
        app = self.world.app(release)
        is_web = name.startswith("slipway-web@")
        if not (app.boots if is_web else app.works) or not self.world.data_is_up:
            unit.state, unit.restarts = "failed", 1
            self.world.waiting_for_data.append(lambda: self._retry(unit))

    def _retry(self, unit: Unit) -> None:
        app = self.world.app(unit.release)
        if self.units.get(unit.name) is unit and (
            app.boots if unit.name.startswith("slipway-web@") else app.works
        ):
            unit.state = "active"

    def stop_units(self, names: list[str], *, block: bool = True) -> None:
        stopping: list[Unit] = []
        for wanted in names:
            head, _, tail = wanted.partition("*")
            stopping += [
                unit
                for name, unit in self.units.items()
                if name == wanted
                or ("*" in wanted and name.startswith(head) and tail[:-9].strip("*") in name)
            ]
        for unit in stopping:
            if unit.state == "failed":
                del self.units[unit.name]
            elif unit.state == "active":
                self._stop(unit)
        if block:
            for unit in stopping:
                if unit.stopped:
                    unit.stopped.wait()
            self.pause(0.01, 0.05)

    def _stop(self, unit: Unit) -> None:
        unit.state, unit.stopped = "deactivating", Event(self.world.kernel)
        longest = 0.3 if unit.name.startswith("slipway-web@") else self.world.app(unit.release).job_seconds

        def stopped() -> None:
            if self.units.get(unit.name) is unit:
                del self.units[unit.name]
            if unit.stopped:
                unit.stopped.set()

        self.world.kernel.at(self.random.uniform(0.02, longest) * self.slow, stopped)

    def show_units(self, names: list[str]) -> dict[str, systemd.Unit]:
        def properties(name: str) -> dict[str, str]:
            unit = self.units.get(name)
            if unit is None:
                return {"Id": name, "ActiveState": "inactive"}
            if unit.state == "failed":
                return {"Id": name, "ActiveState": "activating", "SubState": "auto-restart", "NRestarts": "1"}
            return {"Id": name, "ActiveState": unit.state, "SubState": "running", "MainPID": "1"}

        self.pause(0.005, 0.02)
        return {name: systemd.Unit(properties(name)) for name in names}

    def probe(self, port: int) -> tuple[str, float]:
        slot = "blue" if port < 22_000 else "green"
        return ("200" if self._answers(slot) else "503"), 1.0

    def _answers(self, slot: str) -> bool:
        unit = self.units.get(f"slipway-web@{slot}-1.service")
        return unit is not None and unit.state == "active" and self.world.data_is_up

    # HAProxy

    def ask_haproxy(self, command: str) -> str:
        self.pause(0.001, 0.005)
        answers: list[str] = []
        for part in command.split(";"):
            words = part.split()
            if words[:2] == ["show", "map"]:
                answers.append("".join(f"0x1 {key} {value}\n" for key, value in self.map.items()))
            elif words[:2] == ["del", "map"]:
                self.map.pop(words[3], None)
            elif words[1:2] == ["map"]:
                self.map[words[3]] = words[4]
                self.world.has_changed = True
            elif part == "show stat":
                answers.append(self._stat())
        return "".join(answers)

    def _stat(self) -> str:
        rows = ["# pxname,svname,scur,status,type,req_tot"]
        for slot in ("blue", "green"):
            status = "UP" if self._answers(slot) else "DOWN"
            rows += [f"slot_{slot},s1,0,{status},2,", f"slot_{slot},BACKEND,0,{status},1,7"]
        return "\n".join(rows) + "\n"

    # layers, and what else the agent starts

    def fetch(self, *_: object) -> layers.Fetched:
        self.pause(0.05, 0.6)
        if self.is_full:
            raise AgentError("disk_full", f"{self.name} has 0 MiB free")
        fetched: Any = SimpleNamespace(downloaded=[], reused=[], bytes=0, altered=[])
        return fetched

    def run_program(self, *argv: str) -> program.Finished:
        self.pause(0.005, 0.02)
        if argv[0] == "systemd-run" and argv[-1] == "handover":
            self.run_agent("handover", b"{}", lambda _: None)
        if argv[0] == "useradd":
            self.accounts.add(argv[-1])
        return program.Finished(0, "", "")

    def smoke_step(self, *_: object) -> dict[str, object]:
        self.pause(0.01, 0.2)
        slots = [slot for slot in self.state.slots.values() if slot.name != self.state.active]
        if not all(self.world.app(slot.release).passes_smoke for slot in slots if slot.state != "empty"):
            raise AgentError("smoke_failed", "/ answered 500, not 200")
        return {"name": "home", "status": 200, "ms": 1.0}


def _short(request: bytes) -> str:
    asked = json.loads(request or b"{}")
    return " ".join(f"{key}={asked[key]}" for key in ("release", "fence", "step", "back") if key in asked)


def _verdict(answer: dict[str, Any]) -> str:
    return "ok" if answer["ok"] else f"{answer['error']['code']}: {answer['error']['message']}"


def is_gone(error: BaseException) -> bool:
    """Is it the kernel that takes the world down?"""
    return isinstance(error, GreenletExit)
