"""Checks of metrics, the queue and cron entries fail where these do not work."""

from __future__ import annotations

import pytest

from tests.fleet.checks.breaking import EDGE, RELOAD, Break, done, file, sql, web_source
from tests.fleet.checks.harness import Case, prove
from tests.fleet.checks.test_redis import FIND_QUEUE, IDLE_WORKER, redis
from tests.fleet.site import Site


def drop_in(unit: str, text: str, then: str) -> Break:
    """A drop-in for `unit` on web1, which owns the timers; `then` is what systemctl does with it."""
    folder = f"/run/systemd/system/{unit}.d"
    return done(
        "web1",
        f"mkdir -p {folder}; printf '{text}\\n' > {folder}/zz.conf; systemctl daemon-reload; systemctl {then} {unit} >/dev/null",  # noqa: E501 - a shell's line
        f"rm -r {folder}; systemctl daemon-reload; systemctl {then} {unit} >/dev/null",
    )


WORK = (
    Case(
        "a proxy without metrics",
        file(
            "edge",
            EDGE,
            "^ *http-request use-service prometheus-exporter.*$",
            "    http-request deny if { path /metrics }",
            RELOAD,
        ),
        red=("I11/haproxy-serves-its-metrics",),
    ),
    Case(
        "an app without metrics",
        web_source("src/routes/operations.ts", '.get("/metrics"', '.get("/metrix"'),
        red=("I11/the-app-serves-its-metrics",),
    ),
    Case(
        "a dead job",
        sql(
            "INSERT INTO outbox (topic, payload, dedupe_key, dead_at) VALUES ('none', '{}', 'sabotage', now())",  # noqa: E501 - a shell's line
            "DELETE FROM outbox WHERE dedupe_key = 'sabotage'",
        ),
        red=("S10/the-dead-letter-queue-is-empty",),
    ),
    Case(
        "a worker that is stopped",
        IDLE_WORKER,
        red=("S10/work-that-is-queued-gets-done", "S10/no-process-of-the-app-is-stopped"),
    ),
    Case(
        "an outbox that hands nothing over",
        sql(
            "ALTER TABLE outbox ALTER COLUMN next_attempt_at SET DEFAULT now() + interval '1 day'",
            "ALTER TABLE outbox ALTER COLUMN next_attempt_at SET DEFAULT now(); DELETE FROM outbox WHERE next_attempt_at > now() + interval '1 hour'",  # noqa: E501 - a shell's line
        ),
        red=("S10/work-that-is-queued-gets-done",),
    ),
    Case(
        "a row that waits for an hour",
        sql(
            "INSERT INTO outbox (topic, payload, dedupe_key, created_at, locked_until) VALUES ('none', '{}', 'sabotage', now() - interval '1 hour', now() + interval '1 hour')",  # noqa: E501 - a shell's line
            "DELETE FROM outbox WHERE dedupe_key = 'sabotage'",
        ),
        red=("S10/no-work-waits-for-long",),
        says="900 s are the limit",
    ),
    Case(
        "a job that failed for good",
        redis(
            f"{FIND_QUEUE}; $redis ZADD ${{queue%wait}}failed 1 sabotage >/dev/null",
            f"{FIND_QUEUE}; $redis ZREM ${{queue%wait}}failed sabotage >/dev/null",
        ),
        red=("S10/the-dead-letter-queue-is-empty",),
        says="failed",
    ),
    Case(
        "a schedule that was changed on the host",
        drop_in("slipway-cron-outbox.timer", "[Timer]\\nOnCalendar=\\nOnCalendar=yearly", "restart"),
        red=(
            "S6/cron-runs-what-was-released-when-it-was-released",
            "S6/every-cron-entry-ran-when-it-was-due",
        ),
        run=("S6",),
        says="outbox",
    ),
    Case(
        "a second schedule beside the released one",
        drop_in("slipway-cron-daily-summary.timer", "[Timer]\\nOnCalendar=*-*-* 18:00", "restart"),
        red=("S6/cron-runs-what-was-released-when-it-was-released",),
        run=("S6",),
        says="daily-summary",
    ),
    Case(
        "a cron entry that does nothing",
        drop_in("slipway-cron-outbox.service", "[Service]\\nExecStart=\\nExecStart=/bin/true", "show"),
        red=("S6/cron-runs-what-was-released-when-it-was-released",),
        run=("S6",),
        says="/bin/true",
    ),
    Case(
        "a migration of no release",
        sql(
            "INSERT INTO schema_migrations (id, checksum) VALUES ('0099_by_hand', 'x')",
            "DELETE FROM schema_migrations WHERE id = '0099_by_hand'",
        ),
        red=("X15/the-schema-is-the-releases",),
        says="0099_by_hand",
    ),
    Case(
        "a cron entry without a timer",
        done(
            "web1",
            "systemctl list-units --type=timer --state=active --plain --no-legend 'slipway-cron-outbox*' | grep -q . && systemctl stop slipway-cron-outbox.timer",  # noqa: E501 - a shell's line
            "systemctl start slipway-cron-outbox.timer",
        ),
        red=("S6/every-cron-entry-has-one-owner",),
        says="no host",
    ),
    Case(
        "a cron entry that fails",
        done(
            "web1",
            "d=/run/systemd/system/slipway-cron-outbox.service.d; mkdir -p $d; printf '[Service]\\nExecStart=\\nExecStart=/bin/false\\n' > $d/zz.conf; "  # noqa: E501 - a shell's line
            "systemctl daemon-reload; systemctl start slipway-cron-outbox.service; true",
            "rm -r /run/systemd/system/slipway-cron-outbox.service.d; systemctl daemon-reload",
        ),
        red=("S6/no-cron-entry-failed",),
    ),
)


@pytest.mark.parametrize("case", WORK, ids=str)
def test_the_check_fails(whole: Site, case: Case) -> None:
    prove(whole, case)
