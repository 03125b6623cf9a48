"""A host of its own for every test: paths below a temporary folder, a small HAProxy, a recorded systemd."""

import json
import socket
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from hosts.agent import program, signature, stage, systemd
from hosts.agent.host import Host, Paths
from hosts.agent.json_object import JsonObject
from hosts.agent.state import Slot, State


class HaProxy(threading.Thread):
    """Understands the runtime commands that the agent sends."""

    def __init__(self, path: str) -> None:
        super().__init__(daemon=True)
        self.map = {"active": "none", "idle": "blue", "ready-blue": "/ready", "ready-green": "/ready"}
        self.status = {"blue": ["UP"], "green": ["UP"]}
        self.received: list[str] = []
        self.refuse = ""
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(path)
        self.socket.listen()
        self.start()

    def run(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection:
                line = connection.makefile().readline().strip()
                connection.sendall("".join(self._answer(part) + "\n" for part in line.split(";")).encode())

    def _answer(self, command: str) -> str:
        self.received.append(command)
        words = command.split()
        if words[:2] == ["show", "map"]:
            return "".join(f"0x1 {key} {value}\n" for key, value in self.map.items())
        if words[:2] == ["del", "map"]:
            self.map.pop(words[3], None)
        elif words[1:2] == ["map"]:
            if self.refuse:
                return self.refuse
            self.map[words[3]] = words[4]
        if words[:2] == ["set", "server"]:
            slot, _, server = words[2].removeprefix("slot_").partition("/")
            self.status[slot][int(server[1:]) - 1] = words[4].upper()
        if command == "show stat":
            rows = ["# pxname,svname,scur,status,type,req_tot"]
            for slot, servers in self.status.items():
                rows += [f"slot_{slot},s{i},0,{status},2," for i, status in enumerate(servers, 1)]
                rows.append(f"slot_{slot},BACKEND,3,UP,1,7")
            return "\n".join(rows) + "\n"
        return ""


class Systemd:
    """Records what was asked; `running` is what would run, `dying` units end when they are started."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, ...]] = []
        self.running: set[str] = set()
        self.dying: set[str] = set()
        self.deaf: set[str] = set()
        """Units that do not end on their stop signal."""

    def start(self, units: list[str], *, block: bool = True) -> None:
        self.calls.append(("start", *units))
        self.running |= set(units)

    def stop(self, units: list[str], *, block: bool = True) -> None:
        self.calls.append(("stop", *units))
        for unit in units:
            head, _, _ = unit.partition("*")
            slot = unit.partition("@")[2].partition("-")[0]
            self.running -= {
                name
                for name in self.running
                if name == unit or ("*" in unit and name.startswith(head) and f"@{slot}-" in name)
            }

    def show(self, units: list[str]) -> dict[str, systemd.Unit]:
        def state(unit: str) -> str:
            if unit in self.dying and unit in self.running:
                return "failed"
            return "active" if unit in self.running else "inactive"

        return {
            unit: systemd.Unit(
                {
                    "Id": unit,
                    "ActiveState": state(unit),
                    "ExecMainStatus": "3",
                    "Result": "timeout" if unit in self.deaf - self.running else "success",
                }
            )
            for unit in units
        }

    def forget_failures(self, units: list[str]) -> None:
        pass

    def reload(self) -> None:
        self.calls.append(("reload",))

    def journal(self, unit: str, since: float, lines: int = 20) -> list[str]:
        return ["the last line"]

    def run(self, *argv: str) -> program.Finished:
        self.calls.append(argv)
        return program.Finished(0, "", "")


class World:
    """One host, ready to run commands on."""

    def __init__(self, root: Path, units: Systemd) -> None:
        self.paths = Paths(str(root))
        self.systemd = units
        self.root = root
        for folder in (
            self.paths.etc,
            self.paths.units,
            self.paths.lib,
            self.paths.srv,
            f"{root}/etc/haproxy",
            f"{root}/run/haproxy",
        ):
            Path(folder).mkdir(parents=True, exist_ok=True)
        self.haproxy = HaProxy(self.paths.haproxy)
        self.be("web")

    def be(self, role: str) -> None:
        builds = {"bucket": "b", "endpoint": "http://127.0.0.1:9", "access_key": "a", "secret_key": "s"}
        content = {"host": f"{role}1", "role": role, "site": "app.test", "builds": builds}
        Path(self.paths.host).write_text(json.dumps(content))

    @property
    def host(self) -> Host:
        return Host(self.paths)

    @property
    def state(self) -> State:
        return State.load(self.paths)

    def ask(self, command: Any, **request: Any) -> dict[str, Any]:
        """The answer of `command`; an env is sent with what shows that it is whole, unless that is given."""
        if command is stage.command and "env_ticket" not in request:
            request["env_ticket"] = {**env_ticket(request), "signer": "ana@desk", "signature": "good"}
        return command(self.paths, self.host, JsonObject(request, "request"))

    def put(
        self, slot: str, state: str, release: int, *, active: bool = False, **processes: dict[str, Any]
    ) -> None:
        """Have `release` in `slot`, its units running if the state says so."""
        now = self.state
        record = Slot(slot, JsonObject({"processes": processes, "site": "app.test"}, "slot"))
        record.release, record.build, record.config = release, f"b{release}", f"c{release}"
        record.become(state)
        now.slots[slot] = record
        if active:
            now.active = slot
        now.save()
        Path(self.paths.build(record.build)).mkdir(parents=True, exist_ok=True)
        Path(self.paths.slots).mkdir(exist_ok=True)
        if not Path(self.paths.slot(slot)).is_symlink():
            Path(self.paths.slot(slot)).symlink_to(f"../builds/{record.build}")
        if state in ("live", "warm", "booted"):
            for process in record.processes.values():
                if process.name == "web" or state == "live":
                    self.systemd.running |= set(process.units(slot))


def env_ticket(request: Mapping[str, Any]) -> dict[str, Any]:
    """Salts and digests of the env in a request of `stage`; who signs it adds signer and signature."""
    env: dict[str, dict[str, str]] = {name: {} for name in request["manifest"].get("processes", {})}
    env |= request["env"]
    salts = {scope: f"salt of {scope}" for scope in env}
    digests = {scope: signature.env_digest(scope, salts[scope], values) for scope, values in env.items()}
    return {"salts": salts, "digests": digests}


class AnyBuild(str):
    """The id of a manifest that a test has made up."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str)

    def __ne__(self, other: object) -> bool:
        return not isinstance(other, str)

    __hash__ = str.__hash__


def is_good(_paths: object, _content: bytes, given: str, *_: object) -> bool:
    return given == "good"


def any_build(_: object) -> str:
    return AnyBuild()


TICKET = {"record": 1, "fence": 1, "floor": 0, "signer": "ana@desk", "signature": "good"}
WEB = {"command": "serve"}
WORKER = {"command": "work", "role": "worker"}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    units = Systemd()
    for name in ("start", "stop", "show", "forget_failures", "reload", "journal"):
        monkeypatch.setattr(systemd, name, getattr(units, name))
    monkeypatch.setattr(program, "run", units.run)
    # test_signature.py has real keys and manifests.
    monkeypatch.setattr(signature, "verifies", is_good)
    monkeypatch.setattr(signature, "manifest_id", any_build)
    made = World(tmp_path, units)
    yield made
    made.haproxy.socket.close()
