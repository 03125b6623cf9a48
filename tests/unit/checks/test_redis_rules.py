"""What an account of Redis may do, whatever words its rules are written in."""

from __future__ import annotations

import pytest

from checks.data.test_redis_accounts import problems

CATEGORIES = {
    "admin": {"acl|list", "acl|setuser", "config|get", "config|set", "debug", "shutdown"},
    "dangerous": {
        "acl|list", "acl|setuser", "client|kill", "client|list", "config|get", "config|set", "debug",
        "flushall", "flushdb", "info", "keys", "role", "shutdown", "sort",
    },
}  # fmt: skip
OURS = "on #d ~* &* +@all -@admin -@dangerous +info +client +keys +sort +role +config|get +flushdb"


@pytest.mark.parametrize(
    "rules",
    [
        OURS,
        f"{OURS} +acl|list",
        # As Redis 7.0 writes the same.
        "on #d ~* &* +@all -@admin +config|get -flushall +role +acl|list",
    ],
)
def test_the_rules_of_set_up_are_good(rules: str) -> None:
    assert problems(rules.split(), CATEGORIES) == []


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        (OURS.replace("#d", "nopass"), "has no password"),
        (OURS.replace("#d ", ""), "has no password"),
        (OURS.replace("#d", "#d #e"), "more than one password"),
        (f"{OURS} +@admin", "may run acl|setuser"),
        (f"{OURS} +config", "may run config|set"),
        (f"{OURS} +flushall", "may run flushall"),
        (f"{OURS} allcommands", "may run"),
        (f"{OURS} +@all", "may run"),
        (OURS.replace("-@dangerous", ""), "may run flushall"),
        ("on #d ~* &* +@all", "may run"),
        (f"{OURS} (+@all ~*)", "selector"),
    ],
)
def test_other_rules_are_named(rules: str, says: str) -> None:
    assert says in "; ".join(problems(rules.split(), CATEGORIES))
