"""Redis: password, version, persistence, eviction, key prefixes, permissions (I4, I8, I10, S10)."""

from __future__ import annotations

from typing import Any, cast

import pytest
from redis.exceptions import AuthenticationError, NoPermissionError, ResponseError

from checks.data.services import connect_redis
from checks.kit.check import check
from slipway.stack import LiveStack

MEMORY_PERCENT = 80
SAMPLE = 2000
"""Keys that are read at most."""


@pytest.fixture(scope="module")
def info(live: LiveStack) -> dict[str, Any]:
    return cast("Any", connect_redis(live)).info("everything")


@check(
    "I4",
    severity="critical",
    asvs="13.2.3",
    standard="Lynis DBS-1884",
    why="whoever reaches a Redis without a password controls queues, sessions and rate limits",
    remedy="slipway up sets the password; aws: the AUTH token",
)
@pytest.mark.parametrize("password", ["", "not-the-password"], ids=["none", "wrong"])
def test_redis_refuses_without_the_password(live: LiveStack, password: str) -> None:
    try:
        connect_redis(live, password=password).execute_command("PING")  # pyright: ignore[reportUnknownMemberType]
    except (AuthenticationError, ResponseError):
        return
    pytest.fail("it answers")


@check(
    "I4",
    severity="high",
    why="the queue needs features of version 7, and version 6 gets no fixes any more",
    remedy="use Debian 12 or ElastiCache, which have version 7",
)
def test_redis_is_version_7_or_newer(info: dict[str, Any]) -> None:
    version = str(info["redis_version"])
    assert int(version.partition(".")[0]) >= 7, f"it is {version}"


@check(
    "I4",
    severity="high",
    why="a queue that a restart empties loses accepted work",
    remedy="appendonly yes (slipway up); aws: snapshots",
)
def test_redis_survives_a_restart(info: dict[str, Any], live: LiveStack) -> None:
    if live.outputs.has_managed_redis:
        assert int(info["connected_slaves"]) >= 1, "it has no replica"
        return
    assert int(info["aof_enabled"]) == 1, "appendonly is off"
    assert str(info["aof_last_write_status"]) == "ok", "the last write of the log failed"
    assert str(info["rdb_last_bgsave_status"]) == "ok", "the last snapshot failed"


@check(
    "I4",
    severity="critical",
    standard="BullMQ: noeviction",
    why="an evicted job is never done, and nothing reports it",
    remedy="maxmemory-policy noeviction; aws: cache.eviction",
)
def test_redis_evicts_nothing(info: dict[str, Any]) -> None:
    assert info["maxmemory_policy"] == "noeviction", f"maxmemory-policy is {info['maxmemory_policy']}"


@check(
    "I10",
    "I4",
    severity="high",
    why="when Redis is full, every write fails",
    remedy="use a larger server, or fewer and shorter keys; the alarm redis-memory has the same limit",
)
def test_redis_has_memory_left(info: dict[str, Any]) -> None:
    most = int(info["maxmemory"])
    assert most > 0, "maxmemory is not set: the kernel would end it instead"
    percent = int(info["used_memory"]) * 100 / most
    assert percent < MEMORY_PERCENT, f"{percent:.0f} % of its memory is used"


@check(
    "I8",
    "I4",
    severity="high",
    why="two environments on one Redis take each other's jobs",
    remedy="prefix every key with redis.namespace",
)
def test_every_key_has_the_stacks_prefix(live: LiveStack) -> None:
    client, namespace = connect_redis(live), live.outputs.redis.namespace if live.outputs.redis else ""
    cursor, seen, foreign = 0, 0, set[str]()
    while seen < SAMPLE:
        cursor, keys = cast("tuple[int, list[str]]", cast("Any", client).scan(cursor=cursor, count=500))
        seen += len(keys)
        foreign |= {key for key in keys if not key.lstrip("{").startswith(namespace)}
        if cursor == 0:
            break
    assert not foreign, f"{len(foreign)} keys are not of {namespace}, for example {sorted(foreign)[0][:60]}"


@check(
    "I7",
    "I4",
    severity="high",
    asvs="13.2.2",
    standard="Lynis DBS-1888",
    why="with these commands a compromised app can change settings, read everything or stop the server",
    remedy="-@admin -@dangerous in the ACL (slipway up)",
)
def test_the_app_may_not_administer_redis(live: LiveStack) -> None:
    # ElastiCache does not know these commands, and answers with another error.
    refused = (NoPermissionError, ResponseError) if live.outputs.has_managed_redis else (NoPermissionError,)
    client = connect_redis(live)
    # None of these changes anything if it is allowed.
    for command in (
        "CONFIG SET lua-time-limit 5000",
        "ACL LIST",
        "REPLICAOF NO ONE",
        "SHUTDOWN HELP",
    ):
        try:
            client.execute_command(*command.split())  # pyright: ignore[reportUnknownMemberType]
        except refused:
            continue
        except ResponseError as error:
            pytest.fail(f"{command} is allowed ({error})")
        pytest.fail(f"{command} is allowed")
