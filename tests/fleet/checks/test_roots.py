"""One check says what others stand on is broken; the others could not be tried."""

from __future__ import annotations

import secrets
from collections.abc import Generator
from contextlib import contextmanager

import pytest

from tests.fleet.checks.breaking import answered, done, edge, on, web_source
from tests.fleet.checks.harness import Case, prove, run_checks
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
        says="the fastest of 15",
    ),
)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_check_fails(whole: Site, case: Case) -> None:
    prove(whole, case)


@contextmanager
def other_password(site: Site) -> Generator[None]:
    """The app's role has another password, and the connections that knew the right one are over.

    A cron entry comes due meanwhile.
    """
    database = site.outputs.database
    assert database is not None
    role = f"{database.name}_app"
    kept = on(
        site, "data1", f"{PSQL} -At", f"SELECT rolpassword FROM pg_authid WHERE rolname = '{role}';\n"
    ).strip()
    assert kept.startswith("SCRAM-SHA-256$")
    end = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}';\n"
    try:
        on(site, "data1", PSQL, f"ALTER ROLE {role} PASSWORD '{secrets.token_hex(16)}';\n{end}")
        on(site, "web1", "systemctl start slipway-cron-outbox.service 2>/dev/null && exit 1 || exit 0")
        yield
    finally:
        on(site, "data1", PSQL, f"ALTER ROLE {role} PASSWORD '{kept}';\n{end}")
        site.wait_until_healthy()


@contextmanager
def full_disk(site: Site) -> Generator[None]:
    """The releases of web1 lie on a disk without room."""
    small = "/run/small"
    try:
        on(site, "web1", f"mkdir -p {small} && mount -t tmpfs -o size=700m,mode=755 tmpfs {small}")
        on(site, "web1", f"cp -a /srv/slipway/. {small}/ && mount --bind {small} /srv/slipway")
        on(site, "web1", "head -c 2G /dev/zero > /srv/slipway/filler 2>/dev/null || true")
        yield
    finally:
        on(site, "web1", f"umount -l /srv/slipway; umount -l {small}")


@contextmanager
def any_password(site: Site) -> Generator[None]:
    """A release that signs everyone in, and afterwards one that does not."""
    with site.kept_source():
        passwords = site.app / "src/auth/passwords.ts"
        text = passwords.read_text()
        right = "return Bun.password.verify(password, hash ?? (await decoy));"
        assert right in text
        passwords.write_text(text.replace(right, "return password.length > 0;"))
        site.release()
    try:
        yield
    finally:
        site.release()


PSQL = "cd / && runuser -u postgres -- psql -X -q -v ON_ERROR_STOP=1"
CAUSES = (
    Case(
        "an edge whose HAProxy does not run",
        done("edge", "systemctl stop haproxy", "systemctl start haproxy"),
        red=("S2/the-site-answers",),
        untried=(
            "I3/the-set-up-is-unchanged",
            "S8/haproxy-runs-the-configuration-in-its-file",
            "X2/types-are-not-guessed",
        ),
        says="HAProxy does not run on edge",
    ),
    Case(
        "a database that refuses the app",
        other_password,
        red=("I5/the-database-lets-the-apps-accounts-in",),
        untried=(
            "I7/the-apps-role-is-no-superuser",
            "S6/no-cron-entry-failed",
            "X6/the-smoke-user-signs-in",
            "X12/a-socket-opens-and-echoes",
        ),
        says="the database refuses",
    ),
    Case(
        "a sign-in that lets everyone in",
        any_password,
        red=("X6/a-wrong-password-is-refused",),
        untried=(
            "X7/passwords-cannot-be-guessed-at-speed",
            "X7/known-and-unknown-accounts-are-answered-alike",
        ),
        says="signed in with another SMOKE_PASSWORD",
    ),
    Case("a full disk", full_disk, red=("I11/disks-have-room",), says="/srv/slipway"),
)


@pytest.mark.parametrize("case", CAUSES, ids=str)
def test_one_cause_is_one_failure_of_the_whole_run(whole: Site, case: Case) -> None:
    with case.at(whole):
        found = run_checks(whole.root)
    wrong = {each["id"]: each["reason"] for each in found.results if each["verdict"] == "fail"}
    assert set(wrong) == set(case.red), f"{wrong}\n{found.said}"
    assert case.says in wrong[case.red[0]], wrong
    assert {*case.untried} <= found.ids("could not be tried"), found.said
    unsaid = [
        f"{each['id']}: {each['reason']}"
        for each in found.results
        if each["verdict"] == "could not be tried" and case.red[0] not in each["reason"]
    ]
    assert unsaid == [], found.said
