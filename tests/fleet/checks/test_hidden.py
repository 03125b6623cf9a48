"""Checks of what the public must not reach fail where it is reachable."""

from __future__ import annotations

import pytest

from tests.fleet.checks.breaking import answered, done, edge, together, with_secret
from tests.fleet.checks.harness import Case, prove
from tests.fleet.site import Site

DEEP = ("--deep",)
TRACE = "TypeError: x is undefined at handler (/srv/slipway/src/web.ts:12:7)"


HIDDEN = (
    Case(
        "docs are served",
        edge(answered(200, "docs", "{ path /docs }", "text/html")),
        red=("X5/docs-and-debugging-are-not-there",),
        says="/docs answers 200",
    ),
    Case(
        "a repository is served",
        edge(answered(200, "ref: refs/heads/main", "{ path /.git/HEAD }", "text/plain")),
        red=("X5/docs-and-debugging-are-not-there",),
        says="/.git/HEAD",
    ),
    Case(
        "readiness is public",
        edge(answered(200, "{}", "{ path /ready }")),
        red=("X11/private-paths-are-private", "X11/private-paths-are-private-however-they-are-written"),
        says="/ready",
    ),
    Case(
        "metrics are public by another spelling",
        edge(answered(200, "up 1", "{ path_beg //metrics }", "text/plain")),
        red=("X11/private-paths-are-private-however-they-are-written",),
        run=("X11/private",),
        says="//metrics",
    ),
    Case(
        "metrics behind a backslash",
        edge(answered(200, "up 1", "{ url_sub \\\\ } { url_sub metrics }", "text/plain")),
        red=("X11/private-paths-are-private-however-they-are-written",),
        run=("X11/private",),
        says="metrics",
    ),
    Case(
        "metrics behind an encoded backslash",
        edge(answered(200, "up 1", "{ url_sub -i %5c } { url_sub metrics }", "text/plain")),
        red=("X11/private-paths-are-private-however-they-are-written",),
        run=("X11/private",),
        says="%5",
    ),
    Case(
        "metrics in capitals",
        edge(answered(200, "up 1", "{ url_sub METRICS }", "text/plain")),
        red=("X11/private-paths-are-private-however-they-are-written",),
        run=("X11/private",),
        says="METRICS",
    ),
    Case(
        "metrics with a parameter in the path",
        edge(answered(200, "up 1", "{ url_sub metrics;x }", "text/plain")),
        red=("X11/private-paths-are-private-however-they-are-written",),
        run=("X11/private",),
        says="metrics;x=1",
    ),
    Case(
        "metrics behind an encoded dot",
        edge(answered(200, "up 1", "{ url_sub -i %2e } { url_sub metrics }", "text/plain")),
        red=("X11/private-paths-are-private-however-they-are-written",),
        run=("X11/private",),
        says="%2e",
    ),
    Case(
        "a dump of the database is served",
        edge(answered(200, "CREATE TABLE users", "{ path /backup.sql }", "text/plain")),
        red=("X5/docs-and-debugging-are-not-there",),
        says="/backup.sql",
    ),
    Case(
        "a copy of the settings is served",
        edge(answered(200, "JWT_SECRET=x", "{ path /.env.bak }", "text/plain")),
        red=("X5/docs-and-debugging-are-not-there",),
        says="/.env.bak",
    ),
    Case(
        "what only scanners look for is served",
        edge(
            answered(200, "x", "{ path /api/.env.staging }", "text/plain"),
            answered(200, "x", "{ path /old.tar.gz }", "application/gzip"),
        ),
        red=("X5/nothing-that-scanners-look-for-is-there",),
        says="2 in all",
        options=DEEP,
    ),
    Case(
        "files of the host are served",
        edge(answered(200, "root:x:0:0:root", "{ path_sub etc/passwd }", "text/plain")),
        red=("X5/no-path-leaves-the-public-folder",),
    ),
    Case(
        "a secret in a script",
        with_secret(
            lambda value: edge(answered(200, f"const key = {value}", "{ path_end .js }", "text/javascript"))
        ),
        red=("P3/no-secret-reaches-browsers",),
        says="WEBHOOK_SECRET",
    ),
    Case(
        "source maps are served",
        edge(answered(200, "{}", "{ path_end .map }")),
        red=("P10/source-maps-are-not-served",),
        run=("P10",),
    ),
    Case(
        "a stack trace for a malformed request",
        edge(answered(400, TRACE, "{ path /api/auth/sign-in } !{ req.body -m sub email }", "text/plain")),
        red=("P10/errors-for-malformed-requests-expose-no-internals",),
    ),
    Case(
        "a malformed request breaks it",
        edge(answered(500, "oops", "{ path /api/auth/sign-in } !{ req.body -m sub email }", "text/plain")),
        red=("P10/errors-for-malformed-requests-expose-no-internals",),
        says="500",
    ),
    Case(
        "a stack trace for an unknown page",
        edge(answered(404, TRACE, "{ path /no-such-page }", "text/plain")),
        red=("P10/errors-for-unknown-pages-expose-no-internals",),
    ),
    Case(
        "health without a version",
        edge(answered(200, '{"status":"ok","timestamp":1,"uptime":1}', "{ path /health }")),
        red=("X11/health-reports-status-time-and-version",),
        run=("X11/health",),
        says="version",
    ),
    Case(
        "health shows an address",
        edge(
            answered(
                200,
                '{"status":"ok","timestamp":1,"uptime":110.5,"version":1,"db":"10.1.2.3"}',
                "{ path /health }",
            )
        ),
        red=("X11/health-exposes-no-internals",),
        run=("X11/health",),
        says="10.1.2.3",
    ),
    Case(
        "health shows internals",
        edge(
            answered(
                200,
                '{"status":"ok","timestamp":1,"uptime":1,"version":1,"db":"postgres"}',
                "{ path /health }",
            )
        ),
        red=("X11/health-exposes-no-internals",),
        run=("X11/health",),
        says="postgres",
    ),
)


@pytest.mark.parametrize("case", HIDDEN, ids=str)
def test_the_check_fails(whole: Site, case: Case) -> None:
    prove(whole, case)


def test_a_slow_health_path_fails(whole: Site) -> None:
    slow = 'core.register_action("slow", {"http-req"}, function(txn) core.msleep(300) end)'
    case = Case(
        "slow health",
        together(
            done("edge", f"echo '{slow}' > /etc/haproxy/slow.lua", "rm /etc/haproxy/slow.lua"),
            edge(
                "http-request lua.slow if { path /health }",
                swap=(
                    "    lua-load-per-thread /etc/haproxy/body",
                    "    lua-load-per-thread /etc/haproxy/slow.lua\n"
                    "    lua-load-per-thread /etc/haproxy/body",
                ),
            ),
        ),
        red=("X11/health-is-cheap",),
    )
    prove(whole, case)
