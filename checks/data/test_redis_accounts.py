"""Redis' accounts: every user and every right, as they run and as users.acl says (I4, I7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytest
from redis.exceptions import NoPermissionError, ResponseError

from checks.data.data_host import DataHost
from checks.data.services import connect_redis
from checks.kit.check import check, not_evaluated
from slipway.stack import LiveStack

REFUSED = ("admin", "dangerous")
"""Categories that the app's account must not have."""
GIVEN_BACK = ("acl|list", "client", "config|get", "flushdb", "info", "keys", "role", "sort")
"""What BullMQ and the checks need of these categories; a command stands for its subcommands too."""
TRIED = (
    "CONFIG SET lua-time-limit 5000",
    "CONFIG REWRITE",
    "ACL SETUSER slipway-check-no-such-user off",
    "ACL LOAD",
    "REPLICAOF NO ONE",
    "MODULE LIST",
    "FLUSHALL",
    "MIGRATE slipway-check.invalid 1 none 0 1",
)
"""Each is queued in a transaction, which needs the right to it, and never run."""


@check(
    "I7",
    "I4",
    severity="high",
    asvs="13.2.2",
    standard="Lynis DBS-1888",
    why="with these commands a compromised app can change settings, read everything or stop the server",
    remedy="-@admin -@dangerous in the ACL (slipway up)",
    needs=("slipway:redis",),
)
def test_the_app_may_not_administer_redis(live: LiveStack) -> None:
    # ElastiCache does not know these commands, and answers with another error.
    refused = (NoPermissionError, ResponseError) if live.outputs.has_managed_redis else (NoPermissionError,)
    client = cast("Any", connect_redis(live)).client()
    client.response_callbacks.clear()  # they expect results, and what is queued has none
    allowed: list[str] = []
    for command in TRIED:
        # In a transaction that is discarded: what is allowed is queued, and not run.
        client.execute_command("MULTI")
        try:
            client.execute_command(*command.split())
            allowed.append(command)
        except refused:
            continue
        except ResponseError as error:
            allowed.append(f"{command} ({error})")
        finally:
            client.execute_command("DISCARD")
    client.close()
    assert not allowed, f"allowed: {', '.join(allowed)}"


@check(
    "I7",
    "I4",
    severity="critical",
    asvs="13.2.2",
    standard="CIS Redis 3",
    why="an account that set-up does not know keeps access after the password is changed",
    remedy="slipway up writes users.acl; then systemctl restart redis-server",
    needs=("slipway:redis",),
)
@pytest.mark.parametrize("where", ["running", "users.acl"])
def test_redis_has_no_account_but_the_apps(live: LiveStack, data_host: DataHost, where: str) -> None:
    foreign = [words[1] for words in _users(live, data_host, where) if words[1] != "default"]
    assert not foreign, f"accounts that set-up did not make: {', '.join(sorted(foreign))}"


@check(
    "I7",
    "I4",
    severity="critical",
    asvs="13.2.2",
    standard="CIS Redis 3",
    why="one category too many, and the app's password is worth as much as the server",
    remedy="slipway up writes users.acl; then systemctl restart redis-server",
    needs=("slipway:redis",),
)
@pytest.mark.parametrize("where", ["running", "users.acl"])
def test_the_apps_account_has_only_its_rights(live: LiveStack, data_host: DataHost, where: str) -> None:
    client = cast("Any", connect_redis(live))
    users = [words for words in _users(live, data_host, where) if words[1] == "default"]
    named = {word[2:] for words in users for word in words if word[:2] in ("+@", "-@")} - {"all"}
    categories = {name: set(map(str, client.acl_cat(name))) for name in {*named, *REFUSED}}
    wrong = [f"{words[1]} {each}" for words in users for each in problems(words[2:], categories)]
    assert not wrong, "; ".join(wrong)


def problems(words: Sequence[str], categories: Mapping[str, set[str]]) -> list[str]:
    """What is wrong with an account's rules, `on #digest ~* +@all -@admin …`. Pure.

    `categories` has the commands of each category. Redis shows rules in its own words, so what counts is what
    they come to.
    """
    passwords = [word for word in words if word[:1] in "#>"]
    found = ["has no password"] * ("nopass" in words or not passwords)
    found += ["has more than one password"] * (len(passwords) > 1)
    found += ["has a selector with further rights"] * any(word.startswith("(") for word in words)
    watched = set[str]().union(*(categories[name] for name in REFUSED))
    held = set[str]()
    for word in words:
        if word[:1] not in "+-" and word not in ("allcommands", "nocommands"):
            continue
        name = word[1:]
        if name == "@all" or word in ("allcommands", "nocommands"):
            named = watched
        elif name.startswith("@"):
            named = watched & categories[name[1:]]
        else:
            named = {each for each in watched if _is_of(each, name)}
        held = held | named if word[0] in "+a" else held - named
    more = sorted(each for each in held if not any(_is_of(each, name) for name in GIVEN_BACK))
    if more:
        found.append(f"may run {', '.join(more[:4])}{' …' if len(more) > 4 else ''}")
    return found


def _is_of(command: str, name: str) -> bool:
    return command == name or command.startswith(f"{name}|")


def _users(live: LiveStack, data_host: DataHost, where: str) -> list[list[str]]:
    """The rules of every account, word by word: `user`, its name, its rules."""
    if live.outputs.has_managed_redis:
        not_evaluated("the provider keeps the accounts (ElastiCache)")
    if where != "running":
        return [words for words in data_host.redis_files["users"] if words[0] == "user"]
    try:
        return [line.split() for line in cast("Any", connect_redis(live)).acl_list()]
    except NoPermissionError:
        raise AssertionError("the app's account may not list accounts (+acl|list): slipway up") from None
