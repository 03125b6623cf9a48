"""One check says what others stand on is broken; the others could not be tried."""

from __future__ import annotations

import pytest

from tests.fleet.checks.breaking import answered, done, edge, web_source
from tests.fleet.checks.harness import Case, prove
from tests.fleet.site import Site

CASES = (
    Case(
        "a site that answers nothing but errors",
        edge(answered(503, "{}", "{ path_beg / }")),
        red=("S2/the-site-answers",),
        run=("S2", "X6", "X7"),
        alone=True,
        says="answers 503",
    ),
    Case(
        "an edge whose HAProxy does not run",
        done("edge", "systemctl stop haproxy", "systemctl start haproxy"),
        red=("S2/the-site-answers", "I3/the-set-up-is-unchanged"),
        run=("S2", "X2", "I3/the-set-up-is-unchanged", "S8/haproxy-runs"),
        untried=("S8/haproxy-runs-the-configuration-in-its-file", "X2/types-are-not-guessed"),
        alone=True,
        says="it accepts no connection",
    ),
    Case(
        "a smoke user that cannot sign in",
        edge(answered(401, "{}", "{ path /api/auth/sign-in }")),
        red=("X6/the-smoke-user-signs-in",),
        run=("X6", "X9/a-presigned"),
        alone=True,
        says="cannot sign in",
    ),
    Case(
        "a health path that takes its time",
        web_source(
            "src/routes/open.ts", "status: .ok. as const,", 'status: (Bun.sleepSync(300), "ok") as never,'
        ),
        red=("X11/health-is-cheap",),
        run=("X11/health",),
        says="the median",
    ),
)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_check_fails(whole: Site, case: Case) -> None:
    prove(whole, case)
