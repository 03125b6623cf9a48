"""A rollback at any moment of a release: it does not wait, users go back, the release says who stopped it."""

from collections.abc import Iterator

import pytest

from slipway.settings import LeaseHeld
from tests.simulation.hosts import App
from tests.simulation.patches import simulated
from tests.simulation.story import FAULTS, Fault, Story, play
from tests.simulation.world import Command, Plan, World

BEFORE_USERS = ("build", "publish", "stage", "boot", "smoke")
WITH_USERS = ("observe", "promote")
MOMENTS = (0.0, 0.03, 0.1, 0.3)
"""Seconds after a phase has begun. A stage or a switch takes about a tenth of a second in this world."""


@pytest.fixture(autouse=True)
def simulation() -> Iterator[None]:
    with simulated():
        yield


def brake(phase: str, seconds: float, app: App | None = None) -> tuple[World, Command, Command]:
    """Releases 1 and 2 were promoted; release 3 runs, and a rollback begins. All invariants are watched."""
    fault = Fault("another rollback", 0, phase, seconds, "web1", 0)
    shipped = app or App(job_seconds=2)
    world = play(f"brake/{phase}/{seconds}", Story(Plan(), (("release", shipped),), (fault,)))
    rollback = next(each for each in world.commands if each.name.startswith("rollback"))
    release = world.commands[world.commands.index(rollback) - 1]
    return world, release, rollback


def brake_to(number: int, phase: str, patch: pytest.MonkeyPatch) -> tuple[Command, Command]:
    """As `brake`, with `--to`."""

    def roll_back(world: World, *_: object) -> Command:
        return world.roll_back(number)

    patch.setitem(FAULTS, "another rollback", roll_back)
    _, release, rollback = brake(phase, 0.03)
    assert rollback.error is None
    return release, rollback


def seconds_of(command: Command) -> float:
    assert command.ended is not None
    return command.ended - command.began


def refused(release: Command, rollback: Command) -> LeaseHeld:
    assert isinstance(release.error, LeaseHeld), release.error
    assert release.error.exit_code == 3
    assert f"pre-empted: {rollback.name}" in release.error.message
    return release.error


LATE = {("smoke", 0.03), ("smoke", 0.1), ("smoke", 0.3), ("boot", 0.3), ("stage", 0.3)}
"""Moments at which the release may be switched to before every host has seen the rollback's fence."""


@pytest.mark.parametrize("seconds", MOMENTS)
@pytest.mark.parametrize("phase", BEFORE_USERS)
def test_before_users_have_the_release_it_goes_back_from_what_they_have(phase: str, seconds: float):
    _, release, rollback = brake(phase, seconds)
    assert rollback.error is None
    error = refused(release, rollback)
    if (rollback.report.came_from, rollback.report.release) == (2, 1):
        assert error.details[0].startswith("Release 1 serves now.")
    else:  # it was switched to before the rollback's fence was shown to every host
        assert (rollback.report.came_from, rollback.report.release) == (3, 2)
        assert (phase, seconds) in LATE


@pytest.mark.parametrize("seconds", MOMENTS)
@pytest.mark.parametrize("phase", WITH_USERS)
def test_once_users_have_it_they_are_back_within_a_second(phase: str, seconds: float):
    world, release, rollback = brake(phase, seconds)
    assert rollback.error is None
    assert (rollback.report.came_from, rollback.report.release) == (3, 2)
    assert rollback.report.warm
    assert seconds_of(rollback) < 1
    if release.error is not None:  # it may have been promoted by then, and have ended
        assert refused(release, rollback).details[0].startswith("Release 2 serves as before.")
    else:
        assert 3 in world.store.promoted


@pytest.mark.parametrize("seconds", MOMENTS)
def test_in_the_middle_of_the_switch_no_host_stays_behind(seconds: float):
    _, release, rollback = brake("switch", seconds)
    assert rollback.error is None
    refused(release, rollback)
    assert rollback.report.release in ((1, 2) if seconds == 0 else (2,))


@pytest.mark.parametrize("seconds", MOMENTS[:2])
def test_in_the_undo_of_a_bad_release_it_does_not_go_back_two_releases(seconds: float):
    _, release, rollback = brake("undo", seconds, App(holds=False, job_seconds=2))
    assert rollback.error is None
    assert (rollback.report.came_from, rollback.report.release) == (3, 2)
    refused(release, rollback)


@pytest.mark.parametrize("phase", ["stage", "boot", "switch", "observe"])
def test_to_the_live_release_it_just_stops_what_runs(phase: str, monkeypatch: pytest.MonkeyPatch):
    release, rollback = brake_to(2, phase, monkeypatch)
    assert (rollback.report.came_from, rollback.report.release) == (3, 2)
    refused(release, rollback)


@pytest.mark.parametrize("phase", ["stage", "boot", "switch", "observe"])
def test_to_an_older_release_it_goes_there_over_the_live_one(phase: str, monkeypatch: pytest.MonkeyPatch):
    release, rollback = brake_to(1, phase, monkeypatch)
    assert (rollback.report.came_from, rollback.report.release) == (2, 1)
    refused(release, rollback)


def test_workers_with_long_jobs_do_not_delay_users():
    _, _, rollback = brake("switch", 1.0, App(job_seconds=30))
    assert rollback.error is None
    assert rollback.report.release == 2
    assert seconds_of(rollback) < 1.5


@pytest.mark.parametrize("seconds", [0.0, 0.03, 0.06])
@pytest.mark.parametrize("phase", ["switch", "promote"])
def test_a_rollback_that_was_killed_and_is_repeated_goes_back_once(phase: str, seconds: float):
    kill = Fault("kill", 0, phase, seconds, "web1", 0)
    app = App(job_seconds=2)
    story = Story(Plan(), (("rollback", app), ("rollback", app)), (kill,))
    world = play(f"twice/{phase}/{seconds}", story)
    first, second = (each for each in world.commands if each.name.startswith("rollback"))
    assert first.ended is None, "it was not killed in time"
    assert second.error is None
    assert (second.report.came_from, second.report.release) == (2, 1)
