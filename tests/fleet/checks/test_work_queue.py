"""Checks of metrics, the queue and cron entries fail where these do not work."""

from __future__ import annotations

import pytest

from tests.fleet.checks.breaking import EDGE, RELOAD, done, file, sql, web_source
from tests.fleet.checks.harness import Case, prove
from tests.fleet.site import Site

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
            "rm -r /run/systemd/system/slipway-cron-outbox.service.d; systemctl daemon-reload; systemctl start slipway-cron-outbox.service",  # noqa: E501 - a shell's line
        ),
        red=("S6/no-cron-entry-failed",),
    ),
)


@pytest.mark.parametrize("case", WORK, ids=str)
def test_the_check_fails(whole: Site, case: Case) -> None:
    prove(whole, case)
