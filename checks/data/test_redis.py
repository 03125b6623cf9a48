"""Redis: password, version, persistence, eviction, keys, its settings as they run (I4, I8, I10, S10)."""

from __future__ import annotations

import re
from typing import Any, cast

import pytest
from redis.exceptions import AuthenticationError, ResponseError

from checks.data.data_host import DataHost
from checks.data.services import connect_redis
from checks.kit.check import check, not_evaluated
from slipway.stack import LiveStack

MEMORY_PERCENT = 80
EVERYWHERE = {"*", "0.0.0.0", "::", "::*"}  # noqa: S104 - what Redis must not listen on
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
    needs=("slipway:redis",),
)
@pytest.mark.parametrize("password", ["", "not-the-password"], ids=["none", "wrong"])
def test_redis_refuses_without_the_password(live: LiveStack, password: str) -> None:
    try:
        connect_redis(live, password=password).execute_command("PING")  # pyright: ignore[reportUnknownMemberType]
    except (AuthenticationError, ResponseError) as error:
        asked = re.search("NOAUTH|WRONGPASS|invalid username-password|uthenticat", str(error))
        assert asked, f"it could not be tried: {error}"
        return
    pytest.fail(f"it answers with {'no' if not password else 'a wrong'} password")


@check(
    "I4",
    severity="high",
    why="the queue needs features of version 7, and version 6 gets no fixes any more",
    remedy="use Debian 12 or newer, or ElastiCache",
    needs=("slipway:redis",),
)
def test_redis_is_version_7_or_newer(info: dict[str, Any]) -> None:
    version = str(info["redis_version"])
    assert int(version.partition(".")[0]) >= 7, f"it is {version}"


@check(
    "I4",
    severity="high",
    why="a queue that a restart empties loses accepted work",
    remedy="appendonly yes (slipway up); aws: snapshots",
    needs=("slipway:redis",),
)
def test_redis_survives_a_restart(info: dict[str, Any], live: LiveStack) -> None:
    if live.outputs.has_managed_redis:
        assert int(info["connected_slaves"]) >= 1, "it has no replica"
        return
    assert int(info["aof_enabled"]) == 1, "appendonly is off"
    fsync = _running(live)["appendfsync"]
    assert fsync in ("everysec", "always"), f"appendfsync is {fsync}: a power cut loses accepted work"
    assert str(info["aof_last_write_status"]) == "ok", "the last write of the log failed"
    assert str(info["rdb_last_bgsave_status"]) == "ok", "the last snapshot failed"


@check(
    "I4",
    severity="critical",
    standard="BullMQ: noeviction",
    why="an evicted job is never done, and nothing reports it",
    remedy="maxmemory-policy noeviction; aws: cache.eviction",
    needs=("slipway:redis",),
)
def test_redis_evicts_nothing(info: dict[str, Any]) -> None:
    assert info["maxmemory_policy"] == "noeviction", f"maxmemory-policy is {info['maxmemory_policy']}"


@check(
    "I10",
    "I4",
    severity="high",
    why="when Redis is full, every write fails",
    remedy="use a larger server, or fewer and shorter keys; the alarm redis-memory has the same limit",
    needs=("slipway:redis",),
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
    needs=("slipway:redis",),
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
    assert namespace, "the stack's Redis has no namespace"
    assert not foreign, f"{len(foreign)} keys are not of {namespace}, for example {sorted(foreign)[0][:60]}"


@check(
    "I8",
    "I4",
    severity="medium",
    why="keys in another database of the server are seen by no check, and count against its memory",
    remedy="move them to database 0 under redis.namespace, or FLUSHDB that database",
    needs=("slipway:redis",),
)
def test_only_one_database_of_redis_is_used(info: dict[str, Any]) -> None:
    used = [name for name in info if name.startswith("db") and name[2:].isdecimal() and name != "db0"]
    assert not used, f"keys are also in {', '.join(used)}"


@check(
    "I4",
    severity="high",
    asvs="13.2.3",
    standard="CIS Redis 2",
    why="protected mode, commands for debugging and modules each open Redis further than its password does",
    remedy="slipway up writes redis.conf: what overrides it?",
    needs=("slipway:redis",),
)
def test_redis_runs_with_its_protections(live: LiveStack, info: dict[str, Any]) -> None:
    if live.outputs.has_managed_redis:
        not_evaluated("the provider sets them (ElastiCache)")
    running = _running(live)
    wanted = {"protected-mode": "yes", "enable-debug-command": "no", "enable-module-command": "no",
              "enable-protected-configs": "no", "stop-writes-on-bgsave-error": "yes",
              "maxclients": "10000", "replica-read-only": "yes"}  # fmt: skip
    wrong = [f"{name} is {running[name]}" for name, good in wanted.items() if running.get(name, good) != good]
    if not running.get("aclfile"):
        wrong.append("it reads no users.acl")
    bound = {each.lstrip("-") for each in running["bind"].split()}
    if not bound or bound & EVERYWHERE:
        wrong.append(f"it listens on {running['bind'] or 'every address'}")
    if int(info["connected_slaves"]):
        wrong.append("a replica copies all of it")
    if info["role"] != "master":
        wrong.append(f"it is a {info['role']} of {info.get('master_host', 'another server')}")
    assert not wrong, "; ".join(wrong)


@check(
    "I4",
    "S8",
    severity="high",
    why="what runs is not what the file says, and the next restart changes it",
    remedy="slipway up writes redis.conf; then systemctl restart redis-server",
    needs=("slipway:redis",),
)
def test_redis_runs_with_what_its_file_says(live: LiveStack, data_host: DataHost) -> None:
    running, differ = _running(live), list[str]()
    for name, *values in data_host.redis_files["config"]:
        said, given = running.get(name), " ".join(values).strip('"')
        if said is None or name in ("save", "aclfile", "supervised", "daemonize"):
            continue
        if name == "maxmemory":
            given = str(int(given.removesuffix("mb")) << 20)
        if said != given:
            differ.append(f"{name} is {said or 'empty'}, {given or 'empty'} in the file")
    saves = " ".join(
        value for name, *values in data_host.redis_files["config"] if name == "save" for value in values
    )
    if running["save"].split() != saves.split():
        differ.append(f"save is {running['save'] or 'off'}, {saves or 'off'} in the file")
    assert not differ, "; ".join(differ[:4])


def _running(live: LiveStack) -> dict[str, str]:
    """Redis' settings as they run."""
    if live.outputs.has_managed_redis:
        return {"appendfsync": "everysec"}  # the provider keeps replicas, and knows no CONFIG
    return cast("Any", connect_redis(live)).config_get("*")
