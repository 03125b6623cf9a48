"""What a check needs the app or the stack to declare; without it there is nothing to judge.

A need is written as the key that declares it: `checks.write` of slipway.toml, `slipway:redis` of the stack's
settings. So the gate of every check is known before it runs, and says which key turns it on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import signature
from typing import cast

from checks.kit.check import Check
from slipway.stack import LiveStack, Role

SECOND_WEB_HOST = "a second web host"
CRON_PATH = "cron.NAME.path"
DATABASE_OR_REDIS = "slipway:database or slipway:redis"
OF_A_PREVIEW = ("P3", "P10", "S2", "X1", "X2", "X3", "X4", "X5", "X6", "X11", "X12", "X13", "X16")
"""Rows that are judged by what one preview answers. The others are about the hosts, which it shares."""
_PROVIDED: Mapping[str, tuple[str, Callable[[LiveStack], object]]] = {
    "slipway:database": (
        "the database is one of your own, or there is none (slipway:database)",
        lambda live: live.outputs.database,
    ),
    "slipway:redis": ("the stack has no Redis (slipway:redis)", lambda live: live.outputs.redis),
    "slipway:uploads": (
        "the stack has no uploads bucket (slipway:uploads)",
        lambda live: live.outputs.uploads,
    ),
    DATABASE_OR_REDIS: (
        "the platform provides neither database nor Redis (slipway:database, slipway:redis)",
        lambda live: live.outputs.database or live.outputs.redis,
    ),
}
"""By key, what to say where the platform does not provide it, and where it is."""


def suits(check: Check, test: Callable[..., object], live: LiveStack) -> bool:
    """Whether there is a subject for `check` at all: of a preview, what it answers by itself, and at once."""
    if live.part is None:
        return True
    by_itself = not {"host", "hosts"} & {*signature(test).parameters}
    at_once = not check.waits_for and not check.deep and not check.invasive and check.spends == "nothing"
    return check.rows[0] in OF_A_PREVIEW and by_itself and at_once


def undeclared(check: Check, live: LiveStack) -> str:
    """Which keys `check` needs that are not declared, in a sentence; empty if all are."""
    there = any(host.is_any(*check.roles) for host in live.outputs.hosts)
    if check.roles and not there and not any(wanted_hosts(live, role) for role in check.roles):
        return f"the stack has no {' or '.join(check.roles)} host ({_hosts_key(live)})"
    provided = [_PROVIDED[need] for need in check.needs if need in _PROVIDED]
    absent = [without for without, part in provided if not part(live)]
    if SECOND_WEB_HOST in check.needs and wanted_hosts(live, "web") < 2:
        absent.append(f"the stack declares one web host ({_hosts_key(live)}): its failure is an outage")
    keys = [key for key in check.needs if key not in _PROVIDED and key != SECOND_WEB_HOST]
    if missing := [key for key in keys if not _declared(live, key)]:
        absent.append(f"declare {' and '.join(missing)} in slipway.toml")
    return "; ".join(absent)


def wanted_hosts(live: LiveStack, role: Role) -> int:
    """How many hosts of `role` the settings name; the stack has fewer at this moment if one is lost."""
    stack = live.stack
    if stack.aws is not None:
        return int(getattr(getattr(stack.aws, role, None), "min", 0))
    if stack.servers:
        return sum(role in server.roles for server in stack.servers)
    return 1 if stack.local.one_host else int(getattr(stack.local, role, 1))


def _hosts_key(live: LiveStack) -> str:
    """The key that says how many hosts there are."""
    return f"slipway:{live.stack.facts.sections[0]}"


def _declared(live: LiveStack, key: str) -> bool:
    """Whether slipway.toml sets `key`, a dotted path in it."""
    if key == CRON_PATH:
        return any(entry.path for entry in live.app.cron.values())
    found: object = live.app
    for name in key.split("."):
        found = (
            cast("dict[str, object]", found).get(name) if isinstance(found, dict) else getattr(found, name)
        )
        if not found:
            return False
    return True
