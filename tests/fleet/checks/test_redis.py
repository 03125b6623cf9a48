"""Redis and queue checks fail on a server with weaker settings."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import pytest

from slipway.stack import LiveStack
from tests.fleet.checks.breaking import Break, done, file, on, together
from tests.fleet.checks.harness import Case, prove
from tests.fleet.site import Site

REDIS = "/etc/redis/redis.conf"
RESTART_REDIS = "systemctl reset-failed redis-server; systemctl restart redis-server; for i in $(seq 50); do ss -lnt | grep -q :6379 && exit 0; sleep 0.1; done; exit 1"  # noqa: E501 - a shell's line


def redis(what: str, undo: str) -> Break:
    """A shell's lines with `$redis`, the command line of Redis' superuser; and what takes it back."""

    @contextmanager
    def broken(site: Site) -> Generator[None]:
        password = LiveStack(site.project).secrets["PLATFORM_REDIS_PASSWORD"]
        tool = "read -r REDISCLI_AUTH; export REDISCLI_AUTH; redis='redis-cli --no-auth-warning'"
        try:
            on(site, "data1", f"{tool}; {what}", password + "\n")
            yield
        finally:
            on(site, "data1", f"{tool}; {undo}", password + "\n")

    return broken


FIND_QUEUE = "meta=$($redis --scan --pattern '*:work:meta' | head -1); queue=${meta%meta}wait"
IDLE_WORKER = done(
    "worker1", "systemctl kill -s STOP 'slipway-worker@*'", "systemctl kill -s CONT 'slipway-worker@*'"
)
LONG_QUEUE = redis(
    f'{FIND_QUEUE}; seq 1001 | sed "s|.*|LPUSH $queue none-&|" | $redis >/dev/null',
    f'{FIND_QUEUE}; seq 1001 | sed "s|.*|LREM $queue 0 none-&|" | $redis >/dev/null',
)

REDIS_CASES = (
    Case(
        "Redis as it comes from the package",
        together(
            done("data1", "true", RESTART_REDIS),  # the last to be undone
            file("data1", REDIS, "^protected-mode yes$", "protected-mode no"),
            file("data1", "/etc/redis/users.acl", r"#[0-9a-f]{64} (.*)$", "nopass ~* &* +@all"),
            file("data1", "/etc/redis/memory.conf", "maxmemory .*", "maxmemory 0"),
            file("data1", REDIS, "^maxmemory-policy .*$", "maxmemory-policy allkeys-lru", RESTART_REDIS),
        ),
        red=(
            "I4/redis-refuses-without-the-password",
            "I4/redis-evicts-nothing",
            "I10/redis-has-memory-left",
            "I7/the-app-may-not-administer-redis",
        ),
        run=("I4/redis", "I10/redis", "I7/the-app-may-not"),
    ),
    Case(
        "an old Redis",
        done(
            "data1",
            "program=$(readlink -f /usr/bin/redis-server); sed 's/7[.]\\([0-9]*[.][0-9]*\\)/6.\\1/g' $program > /usr/local/bin/redis-old && "  # noqa: E501 - a shell's line
            f"chmod 755 /usr/local/bin/redis-old && mount --bind /usr/local/bin/redis-old $program && {{ {RESTART_REDIS}; }}",  # noqa: E501 - a shell's line
            f"umount $(readlink -f /usr/bin/redis-server); rm /usr/local/bin/redis-old; {RESTART_REDIS}",
        ),
        red=("I4/redis-is-version-7-or-newer",),
        says="6.",
    ),
    Case(
        "a queue that a restart empties",
        file("data1", REDIS, "^appendonly yes$", "appendonly no", RESTART_REDIS),
        red=("I4/redis-survives-a-restart",),
        run=("I4/redis",),
    ),
    Case(
        "keys of another stack",
        redis("$redis SET other-stack:jobs 1", "$redis DEL other-stack:jobs"),
        red=("I8/every-key-has-the-stacks-prefix",),
        says="other-stack",
    ),
    Case(
        "a queue without a worker",
        together(IDLE_WORKER, LONG_QUEUE),
        red=("S10/the-queue-is-short",),
        says="1001",
    ),
)


@pytest.mark.parametrize("case", REDIS_CASES, ids=str)
def test_the_check_fails(whole: Site, case: Case) -> None:
    prove(whole, case)
