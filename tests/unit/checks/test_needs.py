"""No check runs whose subject is not declared; each says which key would turn it on: a matrix of stacks."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path
from types import CodeType, FunctionType, SimpleNamespace
from typing import Any, cast

import pytest

from checks.kit import background
from checks.kit.check import Check
from checks.kit.matrix import FOLDER
from checks.kit.needs import undeclared
from hosts.data import redis
from hosts.inventory.expected import inventory_of
from hosts.plan import FleetPlan
from hosts.run import dry_run
from slipway.settings import App, Host, Outputs, Stack, load_app
from slipway.stack import LiveStack
from tests.unit.hosts.conftest import plan

__all__ = ["plan"]

ROOT = Path(__file__).parents[3]
BOARD, PLAIN = (
    load_app(ROOT / "examples" / "board"),
    load_app(ROOT / "tests" / "fleet" / "standins" / "plain"),
)
NO_SIGN_IN = BOARD.model_copy(update={"smoke": PLAIN.smoke})
APPS = {"board": BOARD, "plain": PLAIN, "no sign-in": NO_SIGN_IN}
TOUCHED = {
    "slipway:database": r"database_url|owner_url|data_host\.(postgres|pooler)\b",
    "slipway:redis": r"connect_redis\(|\.redis_files\b",
    "slipway:uploads": r"\.at_uploads\(",
    "smoke.steps": r"\.person\(\)|sign_in_person\(",
    "websocket": r"app_socket\(",
    "processes.web": r"\.app\.web\.",
}
"""By key, how the source of a check shows that it cannot do without what the key declares."""
ON_A_SOCKET = (
    *("X12/a-socket-opens-and-echoes", "X12/a-quiet-socket-stays-open", "X12/a-silent-socket-is-closed"),
    *("X12/a-message-over-the-limit-closes-the-socket", "X12/a-message-that-fits-no-schema-is-refused"),
    "X7/too-many-messages-are-refused",
)
WHERE_THERE = {
    "smoke.steps": {
        **dict.fromkeys(ON_A_SOCKET, "its socket signs in where the opening messages say who the user is"),
        "P10/no-declared-route-breaks": "it asks as the smoke user where there is one",
        "P10/random-requests-break-nothing": "it asks as the smoke user where there is one",
    },
    "checks.signed_in": {
        "P10/no-declared-route-breaks": "it is one of the routes that are tried",
        "P10/random-requests-break-nothing": "it is one of the routes that are tried",
    },
    "slipway:database": {
        "I3/data-services-start-at-boot": "it names the services that the stack has",
        "I5/only-the-apps-hosts-reach-database-and-redis": "one of the two is enough",
    },
}
"""Checks that judge what the key declares where it is there, and something else otherwise."""


class Declared(LiveStack):
    """A stack as it is declared; no host of it is there."""

    def __init__(self, app: App, stack: Stack, outputs: Outputs) -> None:
        super().__init__(cast("Any", SimpleNamespace(app=app, stack=stack)))
        self._outputs = outputs


def stacks(plan: FleetPlan) -> Iterator[tuple[str, Declared]]:
    """Every stack of the matrix by what it has."""
    for app, postgres, has_redis, uploads, web, worker in product(
        APPS, (True, False), (True, False), (True, False), (1, 2), (0, 1)
    ):
        stack = Stack.model_validate(
            {
                "name": "local",
                "project": "matrix",
                "platform": "local",
                "database": "postgres" if postgres else "none",
                "redis": has_redis,
                "uploads": uploads,
                "local": {"web": web, "worker": worker},
            }
        )
        there = ["edge", "data1", *(f"web{n + 1}" for n in range(web)), *["worker1"] * worker]
        whole = plan.outputs
        outputs = whole.model_copy(
            update={
                "hosts": [host for host in whole.hosts if host.name in there],
                "database": whole.database if postgres else None,
                "redis": whole.redis if has_redis else None,
                "uploads": whole.uploads if uploads else None,
            }
        )
        named = (
            app,
            f"database={postgres}",
            f"redis={has_redis}",
            f"uploads={uploads}",
            f"{web} web",
            f"{worker} worker",
        )
        yield ", ".join(named), Declared(APPS[app], stack, outputs)


def has(live: LiveStack, key: str) -> bool:
    """Whether the stack declares `key`: said here once more, without the code under test."""
    match key:
        case "slipway:database":
            return live.stack.database == "postgres"
        case "slipway:redis":
            return live.stack.redis
        case "slipway:uploads":
            return live.stack.uploads
        case "smoke.steps":
            return bool(live.app.smoke.steps)
        case "websocket":
            return live.app.websocket is not None
        case "processes.web":
            return "web" in live.app.processes
        case _:
            return getattr(live.app.checks, key.removeprefix("checks.")) is not None


@cache
def every_check() -> tuple[tuple[Check, FunctionType], ...]:
    found: dict[str, tuple[Check, FunctionType]] = {}
    for file in sorted(FOLDER.glob("*/test_*.py")):
        for value in vars(importlib.import_module(f"checks.{file.parent.name}.{file.stem}")).values():
            for mark in getattr(value, "pytestmark", []):
                if mark.name == "check":
                    found[mark.args[0].id] = mark.args[0], value
    return tuple(found.values())


READS_WHAT_IS_THERE = ("checks.data.data_host.read_data_host", "checks.data.services.shut_out")


def source_of(check: Check, function: FunctionType) -> str:
    """The source of all of `checks` that a check reaches: its fixtures, its trials, and what these call."""
    shared = {
        **vars(importlib.import_module("checks.conftest")),
        **vars(importlib.import_module("checks.data.conftest")),
    }
    seen: dict[str, str] = {}
    waiting: list[Any] = [function, *(background._TRIALS[name] for name in check.waits_for)]  # pyright: ignore[reportPrivateUsage]
    while waiting:
        each = waiting.pop()
        if inspect.isclass(each):
            continue
        each = getattr(each, "_fixture_function", each)  # pytest's own wrapper of a fixture
        if not isinstance(each, FunctionType) or not each.__module__.startswith("checks."):
            continue
        name = f"{each.__module__}.{each.__qualname__}"
        if (
            name in seen
            or name in READS_WHAT_IS_THERE
            or each.__module__ in ("checks.kit.plugin", "checks.kit.background")
        ):
            continue
        seen[name] = inspect.getsource(each)
        known = {**shared, **each.__globals__}
        waiting += [
            known[word]
            for word in (*words_of(each.__code__), *inspect.signature(each).parameters)
            if word in known
        ]
    return "\n".join(seen.values())


def words_of(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from words_of(inner)


@cache
def subjects() -> dict[str, tuple[Check, tuple[str, ...]]]:
    """By id, each check and the keys without which its source shows that it has no subject."""
    found: dict[str, tuple[Check, tuple[str, ...]]] = {}
    for check, function in every_check():
        text = source_of(check, function)
        keys = [key for key, pattern in TOUCHED.items() if re.search(pattern, text)]
        keys += [f"checks.{name}" for name in re.findall(r'declared_request\(\S+, "(\w+)"\)', text)]
        found[check.id] = check, tuple(key for key in keys if check.id not in WHERE_THERE.get(key, {}))
    return found


def test_no_check_runs_whose_subject_is_not_declared(plan: FleetPlan) -> None:
    assert sum(len(keys) for _, keys in subjects().values()) >= 120
    wrong = {
        f"{check.id} runs without {key}"
        for _, live in stacks(plan)
        for check, keys in subjects().values()
        for key in keys
        if not has(live, key) and key not in undeclared(check, live)
    }
    assert sorted(wrong) == []


def test_every_check_runs_on_a_stack_that_has_all(plan: FleetPlan) -> None:
    whole = next(
        live
        for name, live in stacks(plan)
        if name.startswith("board") and "False" not in name and "2 web, 1 worker" in name
    )
    idle = {check.id: why for check, _ in subjects().values() if (why := undeclared(check, whole))}
    copies = idle.pop("I12/the-newest-backup-has-a-copy-elsewhere")
    assert "checks.backups.copy_host and checks.backups.copy_folder" in copies
    assert idle == {}


def test_one_web_host_by_choice_is_no_finding_and_one_that_was_lost_is(plan: FleetPlan) -> None:
    check, _ = subjects()["I1/more-than-one-host-serves"]
    for name, live in stacks(plan):
        assert bool(undeclared(check, live)) == ("1 web" in name), name
        assert "1 web" not in name or "slipway:local" in undeclared(check, live)
        if "2 web" in name:
            live.outputs.hosts[:] = [host for host in live.outputs.hosts if host.name != "web2"]
            assert undeclared(check, live) == ""


def test_a_check_on_hosts_that_the_stack_does_not_have_names_the_key(plan: FleetPlan) -> None:
    for name, live in stacks(plan):
        for check, _ in subjects().values():
            if check.roles == ("worker",):
                assert ("slipway:local" in undeclared(check, live)) == ("0 worker" in name), (check.id, name)


def test_every_need_is_a_key_that_exists() -> None:
    """A key that is misspelt would be declared by no app, and its check would never run."""
    unknown = {
        need
        for check, _ in every_check()
        for need in check.needs
        if ":" not in need and " " not in need and need.split(".")[0] not in App.model_fields
    }
    assert unknown == set()


@pytest.mark.parametrize("postgres", [True, False], ids=["postgres", "no database"])
@pytest.mark.parametrize("has_redis", [True, False], ids=["redis", "no Redis"])
def test_the_inventory_holds_no_service_that_is_not_declared(
    plan: FleetPlan, postgres: bool, has_redis: bool
) -> None:
    stack = plan.stack.model_copy(update={"database": "postgres" if postgres else "none", "redis": has_redis})
    outputs = plan.outputs.model_copy(
        update={
            "database": plan.outputs.database if postgres else None,
            "redis": plan.outputs.redis if has_redis else None,
        }
    )
    smaller = replace(plan, stack=stack, outputs=outputs)
    data: Host = outputs.host("data1")
    inventory = inventory_of(smaller, data, list(dry_run(smaller, data)), {})
    # Packages are the role's, also those that a stack leaves unused.
    named = [*inventory.files, *inventory.folders, *inventory.units, *inventory.users]
    assert any("redis" in each for each in named) == has_redis, [each for each in named if "redis" in each]
    assert (redis.MEMORY in inventory.files) == has_redis
    of_database = [each for each in named if re.search("postgres|pgbouncer|backup", each)]
    assert bool(of_database) == postgres, of_database
