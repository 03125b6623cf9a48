"""Whose lock it is, and which may be removed."""

from __future__ import annotations

import getpass
import os
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest

from slipway.platforms.pulumi.failures import (
    Lock,
    explain,
    is_ours_and_dead,
    may_break,
    process_began,
    read_locks,
)
from slipway.settings import LeaseHeld

# As version 3.259 prints it.
MESSAGE = """\
error: the stack is currently locked by 2 lock(s). Either wait for the other process(es) to end or \
delete the lock file with `pulumi cancel`.
  s3://state/.pulumi/locks/o/board/prod/5b1f.json: created by runner@ci-7 (pid 4123) at 2026-05-01T10:00:00Z
  s3://state/.pulumi/locks/o/board/prod/77aa.json: created by ann@laptop (pid 99) at 2026-05-01T12:30:00+02:00
"""
CLOUD = "error: [409] Conflict: Another update is currently in progress."


def lock(pid: int = 4123, *, user: str = "", host: str = "", ago: float = 60) -> Lock:
    at = datetime.now(UTC) - timedelta(seconds=ago)
    return Lock(user or getpass.getuser(), host or socket.gethostname(), pid, at)


@pytest.fixture
def dead() -> int:
    """The number of a process that has ended."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return ended.pid


def test_every_owner_is_read() -> None:
    locks = read_locks(MESSAGE)
    assert [each.owner for each in locks] == ["runner@ci-7:4123", "ann@laptop:99"]
    assert locks[1].at == datetime(2026, 5, 1, 10, 30, tzinfo=UTC)


def test_a_held_lock_names_its_owner_and_the_way_out() -> None:
    held = explain(MESSAGE.splitlines()[0] + "\n" + MESSAGE.splitlines()[1], doing="the update")
    assert isinstance(held, LeaseHeld)
    assert held.details[0].startswith("runner@ci-7:4123 since 2026-05-01 10:00")
    assert "--break-lock runner@ci-7:4123" in held.remedy
    assert isinstance(explain(CLOUD, doing="the update"), LeaseHeld)


def test_a_dead_process_of_ours_is_known(dead: int) -> None:
    assert is_ours_and_dead(lock(dead))


def test_a_living_process_keeps_its_lock() -> None:
    assert not is_ours_and_dead(lock(os.getpid(), ago=0))


def test_a_process_that_has_only_inherited_the_number_does_not() -> None:
    assert is_ours_and_dead(lock(os.getpid(), ago=1e7))


def test_a_process_that_ended_and_was_not_fetched_is_dead() -> None:
    zombie = subprocess.Popen([sys.executable, "-c", ""])
    try:
        while process_began(zombie.pid) is not None:
            time.sleep(0.01)
        assert is_ours_and_dead(lock(zombie.pid, ago=0))
    finally:
        zombie.wait()


def test_anothers_lock_is_never_dead_to_us(dead: int) -> None:
    assert not is_ours_and_dead(lock(dead, user="somebody"))
    assert not is_ours_and_dead(lock(dead, host="elsewhere"))


def test_one_lock_of_another_forbids_it() -> None:
    ours, other = lock(1), lock(2, user="somebody")
    assert may_break([ours], is_ours_and_dead=lambda _: True) == "dead"
    assert may_break([ours, other], is_ours_and_dead=lambda each: each is ours) == ""
    assert may_break([], is_ours_and_dead=lambda _: True) == ""


def test_a_person_must_name_the_very_owner() -> None:
    (other,) = read_locks(MESSAGE)[:1]
    assert may_break([other], named="runner@ci-7:4123", is_ours_and_dead=lambda _: False) == "named"
    assert may_break([other], named="runner@ci-7:4124", is_ours_and_dead=lambda _: False) == ""
    both = read_locks(MESSAGE)
    assert may_break(both, named="runner@ci-7:4123", is_ours_and_dead=lambda _: False) == ""
