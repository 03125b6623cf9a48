"""When the migrate command runs, and how: never skipped where it is unknown whether the schema moved."""

from types import SimpleNamespace
from typing import Any

import pytest

from slipway.fleet.replies import Ran
from slipway.progress import Silent
from slipway.release import migrate
from slipway.release.migrate import Migrate, why_run
from slipway.release.rollout import Shipment
from slipway.storage.records import Head, Release
from tests.unit.release.conftest import release


def of(number: int, **changes: object) -> Release:
    return release(number).model_copy(update={"migrations": "m1", **changes})


def test_it_is_skipped_only_if_migrations_and_settings_are_those_of_the_live_release():
    assert why_run(of(5), of(4), wanted=None) is None


@pytest.mark.parametrize(
    ("new", "live", "says"),
    [
        (of(5), None, "no release is live"),
        (of(5, migrations="m2"), of(4), "migrations have changed since release 4"),
        (of(5, config="d"), of(4), "settings have changed"),
        (of(5, migrations=""), of(4, migrations=""), "no file matches migrate.files"),
    ],
)
def test_any_doubt_about_the_schema_runs_the_command(new: Release, live: Release | None, says: str):
    assert says in (why_run(new, live, wanted=None) or "")


def test_a_person_can_have_it_run_all_the_same():
    assert why_run(of(5), of(4), wanted=True)


def test_the_host_runs_the_command_of_the_builds_manifest(monkeypatch: pytest.MonkeyPatch):
    """The agent gives it to sh; words that were split here would lose assignments and `&&`."""
    asked: list[dict[str, object]] = []

    def run(**request: object) -> Ran:
        asked.append(request)
        return Ran(exit=0)

    host: Any = SimpleNamespace(name="worker1", role="worker", agent=SimpleNamespace(run=run))
    command = SimpleNamespace(command="A=1 && migrate $A", directory="db", timeout_seconds=60)
    manifest: Any = SimpleNamespace(id="b5", schema_head="7", migrate=command)
    rollout: Any = SimpleNamespace(
        live=None,
        head=Head(),
        order=(9, 1),
        options=SimpleNamespace(migrate=None),
        outputs=SimpleNamespace(database=None),
        hosts=SimpleNamespace(workers=[host], all=[host]),
        progress=Silent(),
    )
    monkeypatch.setattr(migrate, "stage_on", lambda *_: None)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    schema = Migrate(Shipment(of(5), lambda: manifest)).run(rollout)
    assert [request.get("argv") for request in asked] == [None]
    assert asked[0]["scope"] == "migrate"
    assert "no release is live" in str(schema.detail["why"])
