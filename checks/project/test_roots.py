"""What other checks stand on: the site answers, hosts are reached, the smoke user signs in (S2, I3, X6)."""

from __future__ import annotations

from checks.kit.check import check
from checks.kit.roots import SIGN_IN, SITE, Roots, stand_on


@check(
    "S2",
    severity="critical",
    why="while the site does not answer, nothing else that users see can be judged",
    remedy="slipway status shows what serves, and slipway logs why not; on a new stack: slipway release",
    needs=("processes.web",),
)
def test_the_site_answers(roots: Roots) -> None:
    problem = roots.site()
    if problem and problem.cause != SITE:
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
    if problem and problem.cause != SIGN_IN:
        stand_on(problem)
    assert not problem, problem.what


@check(
    "I5",
    "S2",
    severity="critical",
    why="without its database the app can serve nothing that it keeps, whatever else works",
    remedy="on the data host: runuser -u postgres -- psql -f /etc/slipway/postgresql/roles.sql",
    needs=("slipway:database",),
)
def test_the_database_lets_the_apps_accounts_in(roots: Roots) -> None:
    problem = roots.database()
    assert not problem, problem.what


@check(
    "X6",
    severity="critical",
    asvs="6.2.1",
    standard="OWASP API2:2023",
    why="who is signed in with any password is signed in as anyone",
    remedy="compare the password with the account's hash before a session is made",
    needs=("smoke.steps",),
)
def test_a_wrong_password_is_refused(roots: Roots) -> None:
    stand_on(roots.sign_in())
    problem = roots.wrong_password()
    assert not problem, problem.what
