"""Roles that really try: S3 of the emulator with its access checks on, policies as they were applied."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from tests.infra.access.account import OBJECT, Account
from tests.infra.emulator.applied import Emulator
from tests.infra.emulator.reach import served

MANIFEST = "builds/1/manifest.json"


@pytest.fixture(scope="module")
def account(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Generator[Account]:
    """With both stacks."""
    with served(tmp_path_factory.mktemp("account") / "log") as endpoint:
        account = Account(endpoint)
        for stack in ("prod", "preview"):
            account.take_over(emulator.stack(stack))
        yield account


@pytest.fixture(params=[("prod", "preview"), ("preview", "prod")], ids=["prod", "preview"])
def stacks(request: pytest.FixtureRequest) -> Any:
    """Each stack, with the other."""
    return request.param


def bucket(stack: str, what: str) -> str:
    return f"board-{stack}-{what}-123456789012"


@pytest.mark.parametrize("role", ["web", "worker"])
def test_a_host_reads_builds_and_cannot_write_them(account: Account, stacks: tuple[str, str], role: str):
    own, _ = stacks
    host, builds = account.role(f"board-{own}", role), bucket(own, "builds")
    assert host.reads(builds, MANIFEST)
    assert host.lists(builds, "builds/")
    assert not host.writes(builds, MANIFEST)
    assert not host.writes(builds, "builds/2/manifest.json")
    assert not host.deletes(builds, MANIFEST)


@pytest.mark.parametrize("role", ["web", "worker"])
def test_a_host_writes_only_where_the_app_keeps_uploads(account: Account, stacks: tuple[str, str], role: str):
    own, _ = stacks
    host, uploads = account.role(f"board-{own}", role), bucket(own, "uploads")
    assert host.writes(uploads, "users/2/b.png")
    assert host.reads(uploads, "users/2/b.png")
    assert host.lists(uploads, "users/2/")
    assert not host.writes(uploads, "b.png")
    assert not host.writes(uploads, "elsewhere/b.png")
    assert not host.reads(uploads, MANIFEST)
    assert not host.lists(uploads, "")


def test_a_host_publishes_its_own_key_and_nobody_elses(account: Account, stacks: tuple[str, str]):
    own, _ = stacks
    host, builds = account.role(f"board-{own}", "web"), bucket(own, "builds")
    neighbour = account.role(f"board-{own}", "web", session="i-0fedcba9876543210")
    assert host.writes(builds, f"hosts/{host.userid}")
    assert not host.writes(builds, f"hosts/{neighbour.userid}")
    assert not host.writes(builds, "hosts/other")


@pytest.mark.parametrize("role", ["web", "worker", "deploy", "preview"])
@pytest.mark.parametrize("what", ["builds", "uploads", "logs"])
def test_no_role_is_let_at_another_stacks_bucket(
    account: Account, stacks: tuple[str, str], role: str, what: str
):
    own, other = stacks
    actor, theirs = account.role(f"board-{own}", role), bucket(other, what)
    assert not actor.reads(theirs, OBJECT)
    assert not actor.writes(theirs, OBJECT)
    assert not actor.writes(theirs, f"hosts/{actor.userid}")
    assert not actor.deletes(theirs, OBJECT)
    assert not actor.lists(theirs, "users/")


def test_the_pipeline_writes_builds(account: Account, stacks: tuple[str, str]):
    own, _ = stacks
    pipeline, builds = account.role(f"board-{own}", "deploy"), bucket(own, "builds")
    assert pipeline.writes(builds, "builds/3/manifest.json")
    assert pipeline.reads(builds, "builds/3/manifest.json")
    assert pipeline.lists(builds, "builds/")


def test_a_pull_requests_role_sees_no_object(account: Account, stacks: tuple[str, str]):
    own, _ = stacks
    looker = account.role(f"board-{own}", "preview")
    for what in ("builds", "uploads", "logs"):
        assert not looker.reads(bucket(own, what), OBJECT)
        assert not looker.writes(bucket(own, what), OBJECT)
