"""What other checks stand on: the site answers, hosts are reached, the smoke user signs in (S2, I3, X6)."""

from __future__ import annotations

from checks.kit.check import check
from checks.kit.roots import CERTIFICATE, Roots, stand_on


@check(
    "S2",
    severity="critical",
    why="while the site does not answer, nothing else that users see can be judged",
    remedy="slipway status shows what serves, and slipway logs why not; on a new stack: slipway release",
    needs=("processes.web",),
)
def test_the_site_answers(roots: Roots) -> None:
    problem = roots.site()
    if problem and problem.cause == CERTIFICATE:
        stand_on(problem)
    assert not problem, problem.what


@check(
    "I3",
    severity="critical",
    why="a host that cannot be reached is down, or cannot be operated",
    remedy="start the host, then slipway up; ssh -v -F .slipway/STACK/ssh_config HOST shows why it refuses",
)
def test_every_host_can_be_reached(roots: Roots) -> None:
    problems = roots.every_host()
    assert not problems, "; ".join(problem.what for problem in problems)


@check(
    "X6",
    severity="high",
    why="if the smoke user cannot sign in, others probably cannot either, and nothing behind it is checked",
    remedy="SMOKE_* in the env contract and [[smoke.steps]] in slipway.toml: is the account there?",
    needs=("smoke.steps",),
)
def test_the_smoke_user_signs_in(roots: Roots) -> None:
    problem = roots.sign_in()
    assert not problem, problem.what
