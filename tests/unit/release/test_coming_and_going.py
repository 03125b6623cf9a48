"""Hosts that join and leave while a command is at work, and what new ones are told."""

import base64
import json
import zlib
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from hosts.agent.boot_document import BootDocument
from slipway.fleet.fleet import Fleet
from slipway.fleet.replies import Status
from slipway.progress import Silent
from slipway.release.boot_document import PLAIN_BYTES, boot_document, nothing_live
from slipway.release.joiners import take_in_joiners
from slipway.release.promote import Promote
from slipway.release.rollout import Rollout
from slipway.release.switch_to import cron_kinds
from slipway.settings.errors import ReleaseFailed, SlipwayError
from slipway.settings.outputs import Bucket, Host, Outputs, SecretStore

ENV = {"web": {"DATABASE_URL": "postgres://x", "SECRET": "s3cret"}, "task": {}}


def outputs(*names: str) -> Outputs:
    roles = {name: "worker" if name.startswith("worker") else "web" for name in names}
    hosts = [
        Host.model_validate({"name": name, "role": role, "address": "", "ssh_host": ""})
        for name, role in roles.items()
    ]
    builds, store = Bucket(bucket="b"), SecretStore(kind="age", location="")
    given = {"builds": builds, "secrets": store, "url": "https://x", "ssh_config": "/none"}
    return Outputs.model_validate({"stack": "s", "platform": "aws", "hosts": hosts, **given})


class Agents:
    """What every host was asked, and what it serves."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.serves: dict[str, int | None] = {}
        self.fails: dict[tuple[str, str], Exception] = {}

    def of(self, host: str) -> Any:
        def answer(command: str) -> Callable[..., Any]:
            def ask(**_: object) -> Any:
                self.asked.append((host, command))
                if error := self.fails.get((host, command)):
                    raise error
                return self._replies(host).get(command)

            return ask

        return SimpleNamespace(**{name: answer(name) for name in ("status", "stage", "boot", "switch")})

    def _replies(self, host: str) -> dict[str, Any]:
        from slipway.fleet.replies import Switched  # noqa: PLC0415

        live = self.serves.get(host)
        slots = {"blue": {"state": "live", "release": live}} if live else {}
        status = Status.model_construct(active="blue" if live else None)
        slot = {name: SimpleNamespace(**each) for name, each in slots.items()}
        object.__setattr__(status, "slots", slot)
        return {"status": status, "switch": Switched(slot="green", to=5, switched_ms=1)}


def numbered(number: int) -> Any:
    return SimpleNamespace(number=number)


def on_web(_: str) -> str:
    return "web"


class World:
    """A rollout of release 5 over web1 and web2, release 4 being live."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = outputs("web1", "web2")
        self.agents = Agents()
        self.kept: list[dict[str, str]] = []
        self.promoted: list[int] = []
        self.asked = 0
        fleet = Fleet(self.now, self._discover)
        made: Any = Rollout.__new__(Rollout)
        made.fleet, made.outputs, made.app_hosts = fleet, self.now, list(fleet.hosts)
        made.progress, made.warnings, made.detail, made.switched = Silent(), [], {}, {}
        made.project = SimpleNamespace(
            app=SimpleNamespace(
                processes={"web": 1},
                role_of=on_web,
                retire=SimpleNamespace(hold_seconds=60),
            ),
            stack=SimpleNamespace(),
        )
        made.lease = SimpleNamespace(fence=9)
        made.release = made.record = SimpleNamespace(number=5, build="b5", config="c5")
        made.build = SimpleNamespace(manifest=SimpleNamespace(id="b5", schema_head=None))
        made.head = SimpleNamespace(live=4)
        made.redactor = SimpleNamespace(text=str)
        made.keep_boot_documents = None
        made.ledger = SimpleNamespace(promote=self._promote, get=numbered)
        self.rollout = cast("Rollout", made)
        self._give_agents()

        def stage_on(_: Rollout, host: Any) -> None:
            host.agent.stage()

        monkeypatch.setattr("slipway.release.joiners.stage_on", stage_on)

        def switch_to(_: Rollout, host: Any, *__: object, **___: object) -> Any:
            return host.agent.switch()

        monkeypatch.setattr("slipway.release.joiners.switch_to", switch_to)

    def _discover(self) -> Outputs:
        self.asked += 1
        return self.now

    def _promote(self, number: int, **_: object) -> Any:
        self.promoted.append(number)
        return SimpleNamespace(live=number)

    def _give_agents(self) -> None:
        fleet, refresh = self.rollout.fleet, self.rollout.fleet.refresh

        def refreshed() -> None:
            refresh()
            for host in fleet.hosts:
                host.agent = self.agents.of(host.name)

        fleet.refresh = refreshed
        for host in fleet.hosts:
            host.agent = self.agents.of(host.name)

    @property
    def hosts(self) -> list[str]:
        return [host.name for host in self.rollout.app_hosts]

    def boot(self) -> dict[str, Any]:
        return self.rollout.each(
            self.rollout.app_hosts, lambda host: cast("Any", host.agent).boot(), doing="booting"
        )


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


# leaving


def test_as_long_as_nothing_fails_nobody_is_asked_who_is_there(world: World):
    world.boot()
    assert world.asked == 0


def test_a_host_that_fails_and_has_left_is_dropped_with_a_warning(world: World):
    world.agents.fails["web2", "boot"] = SlipwayError("no route to the host")
    world.now = outputs("web1")
    assert set(world.boot()) == {"web1"}
    assert world.hosts == ["web1"]
    assert "web2 left the fleet" in world.rollout.warnings[0]


def test_a_host_that_fails_and_is_still_there_fails_the_phase(world: World):
    world.agents.fails["web2", "boot"] = SlipwayError("crashed")
    with pytest.raises(ReleaseFailed, match="booting failed on web2"):
        world.boot()


def test_one_that_left_does_not_hide_one_that_fails(world: World):
    for name in ("web1", "web2"):
        world.agents.fails[name, "boot"] = SlipwayError("crashed")
    world.now = outputs("web1")
    with pytest.raises(ReleaseFailed, match="booting failed on web1") as failed:
        world.boot()
    assert not any("web2" in line for line in failed.value.details)


def test_when_all_web_hosts_are_gone_the_command_fails(world: World):
    for name in ("web1", "web2"):
        world.agents.fails[name, "boot"] = SlipwayError("gone")
    world.now = outputs("worker1")
    with pytest.raises(ReleaseFailed, match="no web host is left"):
        world.boot()


def test_where_hosts_are_fixed_a_failure_is_a_failure(world: World):
    world.rollout.fleet._discover = None  # pyright: ignore[reportPrivateUsage]
    world.agents.fails["web2", "boot"] = SlipwayError("no route to the host")
    world.now = outputs("web1")
    with pytest.raises(ReleaseFailed):
        world.boot()
    assert world.asked == 0


# joining


def test_a_newcomer_that_serves_is_staged_and_booted_before_the_switch(world: World):
    world.now = outputs("web1", "web2", "web3")
    world.agents.serves["web3"] = 4
    take_in_joiners(world.rollout, switched=False)
    assert world.agents.asked == [("web3", "status"), ("web3", "stage"), ("web3", "boot")]
    assert world.hosts == ["web1", "web2", "web3"]


def test_a_newcomer_before_promote_is_switched_as_well(world: World):
    world.now = outputs("web1", "web2", "web3")
    world.agents.serves["web3"] = 4
    take_in_joiners(world.rollout, switched=True)
    assert world.agents.asked[-1] == ("web3", "switch")
    assert world.rollout.switched["web3"].slot == "green"


def test_a_newcomer_that_is_still_starting_is_left_to_its_boot_document(world: World):
    world.now = outputs("web1", "web2", "web3")
    take_in_joiners(world.rollout, switched=True)
    assert world.agents.asked == [("web3", "status")]
    assert world.hosts == ["web1", "web2"]


def test_a_newcomer_that_fails_is_a_warning_and_not_the_releases_end(world: World):
    world.now = outputs("web1", "web2", "web3")
    world.agents.serves["web3"] = 4
    world.agents.fails["web3", "boot"] = SlipwayError("disk full")
    take_in_joiners(world.rollout, switched=False)
    assert world.hosts == ["web1", "web2"]
    assert "web3 joined and could not be brought along: disk full" in world.rollout.warnings[0]


def test_known_hosts_keep_their_connections(world: World):
    before = {host.name: host.connection for host in world.rollout.fleet.hosts}
    world.now = outputs("web2", "web3")
    world.rollout.fleet.refresh()
    after = {host.name: host.connection for host in world.rollout.fleet.hosts}
    assert after["web2"] is before["web2"]
    assert set(after) == {"web2", "web3"}


# boot documents


class FakeManifest:
    def model_dump(self, *, mode: str, include: set[str]) -> dict[str, Any]:
        assert mode == "json"
        return cast("dict[str, Any]", {key: {} for key in include - {"layers"}}) | {"layers": []}


def document(**more: Any) -> str:
    release = SimpleNamespace(number=5, build="b5", config="c5")
    given: dict[str, Any] = {"fence": 9, "hold_seconds": 60, "site": "x", "secret_names": ["SECRET"]}
    given |= {"env": ENV, **more}
    return boot_document("web", cast("Any", release), cast("Any", FakeManifest()), **given)


def test_the_agent_reads_what_the_pipeline_writes():
    read = BootDocument.parse(document())
    assert (read.role, read.fence, read.release, read.hold_seconds) == ("web", 9, 5, 60)
    assert read.stage.raw["env"] == ENV
    assert BootDocument.parse(nothing_live("web", fence=9)).release == 0


def test_a_large_document_is_packed_and_read_all_the_same():
    text = document(env={"web": {"BIG": "x" * PLAIN_BYTES}})
    assert len(text) < PLAIN_BYTES
    assert json.loads(zlib.decompress(base64.b64decode(text.removeprefix("zlib:"))))["fence"] == 9
    assert BootDocument.parse(text).release == 5


def test_new_hosts_are_told_before_the_head_moves_and_told_again_if_it_cannot(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    told: list[int] = []

    def keep(_: Rollout, release: Any) -> None:
        told.append(release.number)

    def out_of_reach(*_: object, **__: object) -> None:
        assert told == [5]
        raise SlipwayError("the bucket does not answer")

    monkeypatch.setattr("slipway.release.promoted.keep_boot_documents", keep)
    Promote().run(world.rollout)
    assert (told, world.promoted) == ([5], [5])
    told.clear()
    cast("Any", world.rollout).head = SimpleNamespace(live=4)
    ledger = cast("Any", world.rollout.ledger)
    ledger.promote, ledger.head = out_of_reach, lambda: SimpleNamespace(live=4)
    with pytest.raises(SlipwayError, match="does not answer"):
        Promote().run(world.rollout)
    assert told == [5, 4]


@pytest.mark.parametrize(("static", "owner"), [(True, "web-b"), (False, "web-a")])
def test_where_hosts_elect_an_owner_of_cron_entries_a_release_names_the_same(static: bool, owner: str):
    hosts = [SimpleNamespace(name=name) for name in ("web-b", "web-a")]
    rollout: Any = SimpleNamespace(web_hosts=hosts, worker_hosts=[], fleet=SimpleNamespace(is_static=static))
    owners: list[Any] = [host for host in hosts if cron_kinds(rollout, cast("Any", host))]
    assert [host.name for host in owners] == [owner]
