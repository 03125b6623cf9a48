"""A rollout of release 5 over web1 and web2, release 4 being live; hosts answer as a test says."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from slipway.fleet.agent_call import AgentError
from slipway.fleet.fleet import Fleet
from slipway.fleet.replies import SlotState, Switched
from slipway.progress import Silent
from slipway.release.membership import Membership
from slipway.release.migrate import Schema
from slipway.release.promote import Promote, ReturnTo
from slipway.release.rollout import Options, Phase, Rollout, Shipment
from slipway.settings import Bucket, Host, Outputs, SecretStore, SlipwayError
from slipway.stack import LiveStack
from slipway.storage.records import Head, Release
from tests.simulation.model import Failed, Held, ModelHost, Refused
from tests.unit.storage.memory import MemoryBucket

SECRET = "hunter2-hunter2"


def outputs(*names: str) -> Outputs:
    roles = {"worker": ["worker"], "both": ["web", "worker"]}
    hosts = [
        Host.model_validate(
            {
                "name": name,
                "roles": roles.get(name.rstrip("123456789"), ["web"]),
                "address": "",
                "ssh_host": "",
            }
        )
        for name in names
    ]
    builds, store = Bucket(bucket="b"), SecretStore(kind="age", location="")
    given = {"builds": builds, "secrets": store, "url": "https://x", "ssh_config": "/none"}
    return Outputs.model_validate({"stack": "s", "platform": "aws", "hosts": hosts, **given})


def release(number: int) -> Release:
    given = {"stack": "s", "kind": "release", "actor": "a", "created": 0, "fence": number}
    return Release.model_validate({"number": number, "build": f"b{number}", "config": "c", **given})


def role_of(process: str) -> str:
    return "worker" if process == "worker" else "web"


class Ledger:
    """A ledger whose head can move without its answer being heard."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str, object]] = []
        self.ended: list[str] = []
        self.kept: list[int] = []
        self.live, self.record = 4, 4
        self.fails: BaseException | None = None
        """Raised when the head has moved: the answer is lost, or a person presses Ctrl-C just then."""
        self.is_readable = True
        self.is_empty = False
        self.left_behind: Release | None = None

    def unfinished(self) -> Release | None:
        return self.left_behind

    def promote(self, number: int, **_: object) -> Head:
        self.live = number
        if self.fails:
            raise self.fails
        return self.head()

    def roll_back(self, target: int, *, record: int) -> Head:
        self.record = record
        return self.promote(target)

    def head(self) -> Head:
        if not self.is_readable:
            raise SlipwayError("the bucket does not answer")
        return Head(live=self.live, record=self.record)

    def get(self, number: int) -> Release:
        return release(number)

    def authority(self, number: int) -> Release:
        return release(number)

    def event(self, _: int, phase: str, what: str, detail: object = None) -> None:
        self.events.append((phase, what, detail))

    def undo(self, record: Release, live: int | None, detail: object = None) -> None:
        self.kept += [live] if live else []
        self.end(record.number, "undone", detail)

    def end(self, _: int, how: str, __: object = None) -> None:
        self.ended.append(how)


class World:
    """The rollout, and what its hosts were asked."""

    def __init__(self) -> None:
        self.now = outputs("web1", "web2")
        self.discoveries = 0
        self.asked: list[tuple[str, str]] = []
        self.serves: dict[str, int] = {}
        self.fails: dict[tuple[str, str], Exception] = {}
        self.models: dict[str, ModelHost] = {}
        self.documents: list[int] = []
        """The releases that new hosts were to start, one after the other."""
        self.ledger = Ledger()
        app = SimpleNamespace(
            processes={"web": 1, "worker": 1}, role_of=role_of, retire=SimpleNamespace(hold_seconds=60)
        )
        project: Any = SimpleNamespace(app=app, stack=SimpleNamespace(name="s"))
        self.stack = LiveStack(project)
        self.fleet = Fleet(self.now, self._discover)
        for name in ("web1", "web2"):
            self.holds(name, 4, 5, "booted")
        self._put_agents()
        vars(self.stack).update(
            fleet=self.fleet,
            secrets={},
            redactor=SimpleNamespace(text=lambda text: str(text).replace(SECRET, "***")),  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
            write_boot_documents=None,
            bucket=MemoryBucket(),
        )
        warnings: list[str] = []
        lease: Any = SimpleNamespace(check=lambda: 9, fence=9)
        names = [host.name for host in self.fleet.hosts]
        self.rollout = Rollout(
            stack=self.stack,
            lease=lease,
            ledger=cast("Any", self.ledger),
            progress=Silent(),
            options=Options(),
            head=Head(live=4),
            statuses={},
            hosts=Membership(self.stack, names, Silent(), warnings),
            warnings=warnings,
        )
        self.shipment = Shipment(release(5), lambda: cast("Any", SimpleNamespace(id="b5", schema_head="7")))

    def add(self, *names: str) -> None:
        """Have further hosts in the fleet."""
        self.now = outputs(*(host.name for host in self.now.hosts), *names)
        self.fleet.refresh()
        self.rollout.hosts.all = self.fleet.hosts

    def found(self, away: Mapping[str, Exception] | None = None) -> Rollout:
        """The rollout, with the statuses that its hosts have now."""
        hosts = [host for host in self.rollout.hosts.all if host.name not in (away or {})]
        statuses = {host.name: host.agent.status() for host in hosts}
        self.asked.clear()
        return replace(self.rollout, statuses=statuses, away=away or {})

    @property
    def hosts(self) -> list[str]:
        return [host.name for host in self.rollout.hosts.all]

    def last(self, kind: type[Phase[None]]) -> Promote | ReturnTo:
        """The phase that moves the head: of a release, or of a rollback."""
        return Promote(self.shipment, Schema("7", {})) if kind is Promote else ReturnTo(self.shipment, 6)

    def _discover(self) -> Outputs:
        self.discoveries += 1
        return self.now

    def _put_agents(self) -> None:
        refresh = self.fleet.refresh

        def refreshed() -> None:
            refresh()
            put()

        def put() -> None:
            for host in self.fleet.hosts:
                host.agent = self._agent(host.name)
                host.connection.open = lambda patience=0: None

        self.fleet.refresh = refreshed
        put()

    def holds(self, host: str, live: int | None, other: int | None = None, state: SlotState = "warm") -> None:
        """Have `host` serve `live` in blue, and hold `other` in green."""
        self.models[host] = ModelHost(
            is_web=not host.startswith("worker"),
            slots=(Held(live, "live") if live else None, Held(other, state) if other else None),
            active=0 if live else None,
        )

    def served(self) -> dict[str, int | None]:
        """By host, the release that it serves."""
        return {name: host.live.release if host.live else None for name, host in self.models.items()}

    def _agent(self, host: str) -> Any:
        if host not in self.models:
            self.holds(host, self.serves.get(host))

        def answer(command: str) -> Callable[..., Any]:
            def ask(**given: Any) -> Any:
                if (host, command) not in self.fails and command == "status":
                    return self._status(host, given.get("order"))
                self.asked.append((host, command))
                if error := self.fails.get((host, command)):
                    raise error
                self._change(host, command, given)
                return Switched(slot="green", to=5, switched_ms=1) if command == "switch" else None

            return ask

        return SimpleNamespace(
            **{name: answer(name) for name in ("status", "stage", "boot", "smoke", "switch", "stop")}
        )

    def _status(self, host: str, order: tuple[int, int] | None) -> Any:
        self.asked.append((host, "status"))
        if order is not None:
            self.models[host] = self.models[host].fenced(order)
        return self.models[host].status()

    def _change(self, host: str, command: str, given: dict[str, Any]) -> None:
        model = self.models[host].fenced(given.get("order") or self.models[host].order)
        try:
            self.models[host] = model.do(command, given.get("release", 5), back=given.get("back", False))
        except Refused as refused:
            self.models[host] = refused.host if isinstance(refused, Failed) else model
            raise AgentError(host, refused.code, str(refused)) from refused


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()

    def stage_on(_: Rollout, shipment: Shipment, host: Any) -> None:
        host.agent.stage(release=shipment.number)

    def smoke_on(_: Rollout, shipment: Shipment, host: Any) -> None:
        host.agent.smoke(release=shipment.number)

    def keep(_: Rollout, shipment: Shipment | None) -> None:
        made.documents.append(shipment.number if shipment else 0)

    # What a host is staged with comes from the whole app; the fleet tests look at that.
    for module in ("switch", "settle"):
        monkeypatch.setattr(f"slipway.release.{module}.stage_on", stage_on)
    monkeypatch.setattr("slipway.release.settle.smoke_on", smoke_on)
    for module in ("promote", "recover"):
        monkeypatch.setattr(f"slipway.release.{module}.keep_boot_documents", keep)
    return made


@pytest.fixture
def rollout(world: World) -> Rollout:
    return world.rollout
