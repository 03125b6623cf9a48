"""A held stack refuses releases, says who holds it and why, and names the way out."""

from datetime import UTC, datetime

import pytest

from slipway.release.hold import is_automatic, refuse_held, why_refused
from slipway.release.rollout import Options
from slipway.settings import NeedsPerson
from slipway.storage.hold import Hold, hold, resume
from tests.unit.release.conftest import World
from tests.unit.storage.memory import MemoryBucket

NIGHT = datetime(2026, 11, 26, 22, 0, tzinfo=UTC)
FREEZE = Hold(cause="person", by="ana@desk", since=NIGHT, reason="the holidays")
ROLLED_BACK = Hold(cause="rollback", by="ana@desk", since=NIGHT, record=6, target=4, gone=5, build="b5")


def refused(held: Hold, options: Options | None = None, build: str | None = None) -> str:
    found = why_refused(held, "prod", options or Options(), build)
    return f"{found.message} → {found.remedy}" if found else ""


@pytest.mark.parametrize("options", [Options(), Options(after_rollback=True), Options(automatic=True)])
def test_a_person_s_hold_refuses_every_release(options: Options):
    assert refused(FREEZE, options) == (
        "stack prod is held by ana@desk since 2026-11-26 22:00:00 UTC: the holidays"
        " → when releases may go on: slipway resume --stack prod"
    )


def test_after_a_rollback_a_person_may_ship_a_fix():
    assert not refused(ROLLED_BACK)
    assert not refused(ROLLED_BACK, build="b7")


def test_after_a_rollback_the_same_build_is_refused():
    found = refused(ROLLED_BACK, build="b5")
    assert "build b5 is the one of release 5, which a rollback took back" in found
    assert "slipway release --stack prod --after-rollback" in found


def test_after_a_rollback_automatic_releases_wait():
    found = refused(ROLLED_BACK, Options(automatic=True))
    assert "automatic releases (CI=true) wait" in found
    assert "slipway resume --stack prod" in found


@pytest.mark.parametrize("build", [None, "b5", "b7"])
def test_after_rollback_lets_any_release_go_on(build: str | None):
    assert not refused(ROLLED_BACK, Options(after_rollback=True, automatic=True), build)


@pytest.mark.parametrize(("value", "automatic"), [("true", True), ("1", True), ("false", False), ("", False)])
def test_ci_says_whether_a_machine_releases(monkeypatch: pytest.MonkeyPatch, value: str, automatic: bool):
    monkeypatch.setenv("CI", value)
    assert is_automatic() is automatic


def test_the_refusal_is_for_a_person_and_ends_with_the_hold(world: World):
    bucket = MemoryBucket()
    vars(world.stack).update(bucket=bucket, _outputs=world.now)
    refuse_held(world.stack, Options())
    hold(bucket, "s", "ana@desk", "the holidays")
    with pytest.raises(NeedsPerson, match="the holidays") as caught:
        refuse_held(world.stack, Options())
    assert caught.value.exit_code == 4
    resume(bucket, "s", "ben@desk", 4)
    refuse_held(world.stack, Options())
