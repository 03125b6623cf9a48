"""Cron entries have one owner, whatever hosts come, hang, are cut off or go."""

import random
from collections.abc import Generator
from pathlib import Path

import pytest

from hosts.agent import cron, cron_owner, leave
from hosts.agent.aws import Answer, Cloud
from hosts.agent.boot_document import BootDocument
from hosts.agent.cron import LAPSE, Lease
from hosts.agent.cron_owner import DEAD, MARGIN, OWNS, STANDS, Seen, is_owner, look
from hosts.agent.errors import AgentError
from hosts.agent.json_object import JsonObject
from tests.fleet.metadata import Metadata
from tests.unit.agent.conftest import WEB, World
from tests.unit.agent.test_cloud import KEY, Moto, aws, metadata, moto

__all__ = ["aws", "metadata", "moto"]

ENTRY: dict[str, object] = {"path": "/cron", "schedule": "hourly"}
TASK = {"command": "./tidy", "schedule": "hourly"}


def kinds(role: str, processes: dict[str, object], **entries: object) -> list[str]:
    stage = {"release": 7, "manifest": {"processes": processes, "cron": entries}}
    document = {"schema": 2, "role": role, "fence": 1, "stage": stage}
    return BootDocument(JsonObject(document, "boot document")).cron_kinds()


# whose they are


def test_paths_are_for_web_hosts_and_commands_for_workers_if_there_are_any():
    both: dict[str, object] = {"web": WEB, "jobs": {"command": "work"}}
    assert kinds("web", both, a=ENTRY, b=TASK) == ["path"]
    assert kinds("worker", both, a=ENTRY, b=TASK) == ["command"]
    assert kinds("web", {"web": WEB}, a=ENTRY, b=TASK) == ["path", "command"]
    assert kinds("worker", {"web": WEB}, a=ENTRY, b=TASK) == []
    assert kinds("web", {"web": WEB}) == []


def seen(name: str, age: float, mark: str = STANDS) -> Seen:
    return Seen(name, 1000 - age, mark)


@pytest.mark.parametrize(
    ("holding", "others", "owns"),
    [
        (False, [], True),
        (False, [seen("c", 10)], True),
        (False, [seen("a", 10)], False),
        (False, [seen("a", DEAD)], True),
        (False, [seen("a", 10, "")], True),
        (False, [seen("c", 10, OWNS)], False),
        (False, [seen("c", DEAD - 1, OWNS)], False),
        (False, [seen("c", DEAD, OWNS)], True),
        (False, [seen("c", 300)], False),
        (True, [seen("a", 10)], True),
        (True, [seen("c", 10, OWNS)], True),
        (True, [seen("a", 10, OWNS)], False),
    ],
)
def test_an_owner_keeps_them_and_without_one_the_first_takes_them(
    holding: bool, others: list[Seen], owns: bool
):
    """It is 1000, and `b` has stood since 750: what is younger than 235 has seen it."""
    assert is_owner("b", 750, holding, others, 1000) is owns


# in a bucket


@pytest.fixture
def owner(aws: World, monkeypatch: pytest.MonkeyPatch) -> Generator[World]:
    """A web host that serves release 7 with an entry; `clock` is the one that runs since it started."""
    Path(aws.paths.host_key).parent.mkdir(parents=True, exist_ok=True)
    Path(aws.paths.host_key).write_text(KEY)
    aws.put("blue", "live", 7, active=True, web=WEB)
    state = aws.state
    state.slots["blue"].cron = {"tidy": {**ENTRY}}
    state.slots["blue"].since = 0
    state.save()
    yield aws


RELEASE = kinds("web", {"web": WEB}, tidy=ENTRY)


def timers(world: World) -> set[str]:
    return {path.name for path in Path(world.paths.units).glob("slipway-cron-*.timer")}


def ask(world: World) -> None:
    look(world.paths, world.host, Cloud(world.paths, "us-east-1"), RELEASE)


def words(moto: Moto, key: str) -> list[str]:
    return moto.client("s3").get_object(Bucket="builds", Key=key)["Body"].read().decode().split()


def test_a_host_alone_takes_the_entries_and_says_so(
    owner: World, moto: Moto, monkeypatch: pytest.MonkeyPatch
):
    ask(owner)
    key = f"hosts/{Lease.load(owner.paths).user_id}"
    assert words(moto, key) == [*KEY.split()[:2], STANDS]
    assert (owner.state.cron_kinds, timers(owner)) == (["path"], {"slipway-cron-tidy.timer"})
    clock = cron.clock
    monkeypatch.setattr(cron, "clock", lambda: clock() + 150)
    ask(owner)
    assert words(moto, key)[2] == OWNS, "and operators still read the key"


def test_between_two_looks_nothing_is_asked(owner: World, monkeypatch: pytest.MonkeyPatch):
    ask(owner)
    monkeypatch.setattr(Cloud, "call", None)
    ask(owner)


def test_another_owner_is_respected(owner: World, moto: Moto):
    lease = Lease.load(owner.paths)
    lease.user_id = "AROAWEB:i-0123456789abcdef0"  # moto makes up another role for every question
    lease.save(owner.paths)
    other = "hosts/AROAWEB:i-0ffffffffffffffff"
    moto.client("s3").put_object(Bucket="builds", Key=other, Body=f"ssh-ed25519 AAAA {OWNS}".encode())
    ask(owner)
    assert (owner.state.cron_kinds, timers(owner)) == ([], set())
    moto.client("s3").delete_object(Bucket="builds", Key=other)


def test_who_cannot_look_lets_go_at_once(owner: World, monkeypatch: pytest.MonkeyPatch):
    def out_of_reach(*_: object) -> None:
        raise AgentError("cloud", "S3 does not answer")

    ask(owner)
    clock = cron.clock
    monkeypatch.setattr(cron, "clock", lambda: clock() + 150)
    monkeypatch.setattr(Cloud, "objects", out_of_reach)
    with pytest.raises(AgentError):
        ask(owner)
    assert (owner.state.cron_kinds, timers(owner)) == ([], set())


def test_an_entry_that_fires_on_a_host_that_has_not_looked_for_long_does_nothing(
    owner: World, monkeypatch: pytest.MonkeyPatch
):
    ask(owner)
    clock = cron.clock
    monkeypatch.setattr(cron, "clock", lambda: clock() + LAPSE)
    assert "another host" in owner.ask(cron.command, name="tidy")["skipped"]
    cron_owner.let_go_if_lapsed(owner.paths)
    assert timers(owner) == set()


def test_after_a_reboot_a_host_owns_nothing_until_it_has_looked(owner: World):
    ask(owner)
    Path(owner.paths.cron_lease).unlink()
    assert "skipped" in owner.ask(cron.command, name="tidy")


def test_what_a_release_gave_to_a_host_runs_from_the_first_moment(owner: World):
    state = owner.state
    state.slots["blue"].become("live")
    state.save()
    assert cron.may_fire(owner.paths, state.slots["blue"])


def test_a_host_that_leaves_says_that_it_stands_no_more(
    owner: World, moto: Moto, metadata: Metadata, monkeypatch: pytest.MonkeyPatch
):
    ask(owner)
    metadata.texts["meta-data/autoscaling/target-lifecycle-state"] = "Terminated"
    monkeypatch.setattr(leave, "DEREGISTER_SECONDS", 0.0)
    monkeypatch.setattr(leave, "_complete", lambda *_: True)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    owner.ask(leave.command)
    assert words(moto, f"hosts/{Lease.load(owner.paths).user_id}") == KEY.split()[:2]
    assert timers(owner) == set()


def test_a_list_of_more_than_a_page_is_read_to_its_end(owner: World, monkeypatch: pytest.MonkeyPatch):
    page = (
        "<ListBucketResult xmlns='http://aws.amazonaws.com/doc/2006-03-01/'><Contents><Key>hosts/R:i-%s</Key>"
        "<LastModified>2026-01-02T03:04:0%s.000Z</LastModified></Contents>%s</ListBucketResult>"
    )
    token = "<NextContinuationToken>a+b/c=</NextContinuationToken>"
    pages = {False: page % (1, 1, token), True: page % (2, 2, "")}

    def call(_: Cloud, service: str, method: str, path: str, *__: object) -> Answer:
        query = path.partition("?")[2].split("&")
        assert (service, method, query) == ("s3", "GET", sorted(query)), "as the signature wants it"
        more = "continuation-token=a%2Bb%2Fc%3D" in query
        return Answer(200, pages[more].encode(), "Fri, 02 Jan 2026 03:04:05 GMT")

    monkeypatch.setattr(Cloud, "call", call)
    dates, now = Cloud(owner.paths, "us-east-1").objects("builds", "hosts/R:")
    assert {key: now - date for key, date in dates.items()} == {"hosts/R:i-1": 4, "hosts/R:i-2": 3}


# many hosts, at random


class Member:
    """A host in a world of its own time: `due` is when it next looks."""

    def __init__(self, name: str, now: float, dice: random.Random) -> None:
        self.name, self.dice = name, dice
        self.looked, self.stood = -DEAD, 0.0
        self.holding, self.hangs = False, 0.0
        self.due = now + dice.uniform(0, 65)

    def owns(self, now: float) -> bool:
        """Would its entries fire?"""
        return self.holding and now - self.looked < LAPSE

    def tick(self, bucket: dict[str, tuple[float, str]], now: float) -> None:
        if now < max(self.due, self.hangs):
            return
        self.due = now + self.dice.uniform(100, 165)
        if self.dice.random() < 0.05:  # a host that hangs or sleeps, its timers too, but for what fires
            self.hangs = now + self.dice.uniform(0, 900)
            return
        holding = self.owns(now)
        written = now + self.dice.uniform(0, 5)
        if self.dice.random() < 0.1:  # S3 out of reach, perhaps after the write
            if self.dice.random() < 0.5:
                bucket[self.name] = (written, OWNS if holding else STANDS)
            self.holding = False
            return
        bucket[self.name] = (written, OWNS if holding else STANDS)
        self.stood = self.stood if self.stood and now - self.looked < LAPSE else written
        self.looked = now
        others = [Seen(name, *written) for name, written in bucket.items() if name != self.name]
        self.holding = is_owner(self.name, self.stood, holding, others, written)


@pytest.mark.parametrize("seed", range(20))
def test_at_no_moment_of_a_day_do_two_hosts_own_them_and_seldom_none(seed: int):
    dice = random.Random(seed)
    bucket: dict[str, tuple[float, str]] = {}
    hosts = [Member(f"{dice.randrange(16**8):08x}", 0, dice) for _ in range(3)]
    owned = 0
    for now in range(0, 86_400, 5):
        if now and dice.random() < 0.0005:  # one dies without a word, another comes
            hosts.pop(dice.randrange(len(hosts)))
            hosts.append(Member(f"{dice.randrange(16**8):08x}", now, dice))
        for host in hosts:
            host.tick(bucket, float(now))
        owners = [host.name for host in hosts if host.owns(now)]
        assert len(owners) <= 1, (now, owners)
        owned += len(owners)
    assert owned * 5 > 0.7 * 86_400
    assert MARGIN > 5, "a write that takes longer is given up"
