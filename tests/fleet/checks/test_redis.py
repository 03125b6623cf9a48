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


ACL = "/etc/redis/users.acl"
AS_IT_RUNS = (
    "I4/redis",
    "I7/the-apps-account",
    "I7/redis",
    "I7/the-app-may-not",
    "I8/only-one",
)


def edited_back(path: str, edit: str) -> Break:
    """A file that sed changes, with which Redis is restarted, and which is as it was afterwards."""
    change = f"cp -p {path} /root/kept && sed -i '{edit}' {path} && ( {RESTART_REDIS} )"
    return done("data1", f"{change} && cat /root/kept > {path}", RESTART_REDIS)


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
            "I7/the-apps-account-has-only-its-rights",
            "I4/redis-runs-with-its-protections",
        ),
        run=("I4/redis", "I10/redis", "I7/the-app-may-not", "I7/the-apps-account", "I7/redis"),
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
        "a journal that is not flushed",
        file("data1", REDIS, "^appendfsync everysec$", "appendfsync no", RESTART_REDIS),
        red=("I4/redis-survives-a-restart",),
        run=AS_IT_RUNS,
        says="appendfsync is no",
    ),
    Case(
        "a journal that is not flushed, and a file that says it is",
        edited_back(REDIS, "s/^appendfsync everysec$/appendfsync no/"),
        red=("I4/redis-survives-a-restart", "I4/redis-runs-with-what-its-file-says"),
        run=AS_IT_RUNS,
    ),
    Case(
        "snapshots that the next restart turns off",
        file("data1", REDIS, "^save .*$", 'save ""'),
        red=("I4/redis-runs-with-what-its-file-says",),
        run=AS_IT_RUNS,
        says="save is",
    ),
    Case(
        "a Redis on every address, open to debuggers",
        file(
            "data1",
            REDIS,
            "^bind .*$",
            "bind 0.0.0.0\nenable-debug-command yes\nenable-module-command yes",
            RESTART_REDIS,
        ),
        red=("I4/redis-runs-with-its-protections",),
        run=AS_IT_RUNS,
        says="enable-debug-command",
    ),
    Case(
        "a Redis for few clients",
        file("data1", REDIS, r"\Z", "maxclients 60\n", RESTART_REDIS),
        red=("I4/redis-runs-with-its-protections",),
        run=AS_IT_RUNS,
        says="maxclients is 60",
    ),
    Case(
        "a second account",
        file("data1", ACL, r"\Z", "user spare on nopass ~* &* +@all\n", RESTART_REDIS),
        red=("I7/redis-has-no-account-but-the-apps",),
        run=AS_IT_RUNS,
        says="spare",
    ),
    Case(
        "a second account, and a file without it",
        edited_back(ACL, "$ a user spare on nopass ~* \\&* +@all"),
        red=("I7/redis-has-no-account-but-the-apps",),
        run=AS_IT_RUNS,
        says="spare",
    ),
    Case(
        "a second account that waits for a restart",
        file("data1", ACL, r"\Z", "user spare on nopass ~* &* +@all\n"),
        red=("I7/redis-has-no-account-but-the-apps",),
        run=AS_IT_RUNS,
        says="spare",
    ),
    Case(
        "an app that administers Redis",
        file("data1", ACL, r"\+flushdb", "+flushdb +@admin", RESTART_REDIS),
        red=("I7/the-apps-account-has-only-its-rights", "I7/the-app-may-not-administer-redis"),
        run=AS_IT_RUNS,
        says="may run",
    ),
    Case(
        "an app that may empty all of Redis",
        file("data1", ACL, r"\+flushdb", "+flushall", RESTART_REDIS),
        red=("I7/the-apps-account-has-only-its-rights", "I7/the-app-may-not-administer-redis"),
        run=AS_IT_RUNS,
        says="may run flushall",
    ),
    Case(
        "an app with a second password",
        file("data1", ACL, r"~\*", f">{'easy-to-guess'} ~*", RESTART_REDIS),
        red=("I7/the-apps-account-has-only-its-rights",),
        run=AS_IT_RUNS,
        says="more than one password",
    ),
    Case(
        "keys in another database",
        redis("$redis -n 3 SET anything 1", "$redis -n 3 DEL anything"),
        red=("I8/only-one-database-of-redis-is-used",),
        run=AS_IT_RUNS,
        says="db3",
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
