"""A release must prove itself by checks and load on live hosts, or it goes back without a loss."""

from __future__ import annotations

import pytest

from slipway.stack import LiveStack
from tests.fleet.command import slipway
from tests.fleet.sabotage import Sabotage, edit
from tests.fleet.site import Site
from tests.fleet.traffic import traffic

pytestmark = pytest.mark.fleet

SHOWS_ITS_DOCS = Sabotage(
    "answers /docs",
    lambda app: edit(
        app / "src/routes/open.ts",
        "return new Elysia()\n",
        'return new Elysia()\n    .get("/docs", () => "<title>Swagger UI</title>")\n',
    ),
    "prove",
    "docs",
)


def prove(site: Site, **wanted: str | float) -> None:
    """From now on the stack wants this proved; to be used where settings are put back."""
    file = site.root / "Pulumi.local.yaml"
    lines = "".join(f"    {key}: {value}\n" for key, value in wanted.items())
    file.write_text(f"{file.read_text().rstrip()}\n  slipway:prove:\n{lines}")


def test_a_release_whose_checks_go_red_is_sent_back_under_traffic_and_nothing_is_lost(site: Site) -> None:
    before = site.health()
    with site.sabotaged(SHOWS_ITS_DOCS):
        prove(site, checks="high")
        # The checks run beside it, on the same machine as all hosts.
        with traffic(site.root, rps=60) as meter:
            failed = slipway(site.root, "release", "--json", "--observe", "0", "--no-checks")
    assert failed.code == 1, failed.out + failed.err
    assert "did not prove itself" in failed.error
    assert SHOWS_ITS_DOCS.says in failed.error
    assert "/checks/report.html" in failed.error
    assert site.health()["release"] == before["release"]
    assert site.get("/docs").status_code == 404
    meter.assert_nothing_lost()
    state = slipway(site.root, "status", "--json").json
    assert state["unfinished"] is None
    opened = LiveStack(site.project)
    newest = opened.ledger.history(limit=1)[0]
    assert newest.status == "undone"
    assert ("prove", "failed") in {
        (event.phase, event.event) for event in opened.ledger.events(newest.number)
    }


def test_a_release_that_does_not_carry_its_load_is_sent_back(site: Site) -> None:
    before = site.live()
    with site.kept_source():
        toml = site.app / "slipway.toml"
        # Nothing answers in a hundredth of a millisecond: what the load test must show cannot be shown.
        edit(toml, 'kind = "WS broadcast"\np50_ms = 100', 'kind = "WS broadcast"\np50_ms = 0.01')
        prove(site, load="smoke", load_seconds=8)
        failed = slipway(site.root, "release", "--json", "--observe", "0", "--no-checks")
    assert failed.code == 1, failed.out + failed.err
    assert "load test, profile smoke: a threshold is missed" in failed.error
    assert "WS broadcast" in failed.error
    assert "/load/report.html" in failed.error
    assert site.live() == before


def test_a_release_that_proves_itself_is_promoted(site: Site) -> None:
    site.change("to be proved")
    with site.kept_source():
        prove(site, checks="critical", load="smoke", load_seconds=8)
        shipped = slipway(site.root, "release", "--json", "--observe", "0", "--no-checks")
    assert shipped.code == 0, shipped.out + shipped.err
    assert site.live() == shipped.json["release"]
    assert shipped.json["phases"]["prove"] > 8
    (proved,) = [
        event
        for event in LiveStack(site.project).ledger.events(shipped.json["release"])
        if (event.phase, event.event) == ("prove", "done")
    ]
    assert proved.detail["load"] == {"profile": "smoke", "exit_code": 0}
    assert "fail" not in proved.detail["checks"]  # pyright: ignore[reportOperatorIssue]


def test_without_proof_a_release_takes_no_longer(site: Site) -> None:
    with site.kept_source():
        prove(site, checks="high", load="expected")
        shipped = site.release("--no-prove")
    assert shipped.json["phases"]["prove"] < 5  # seconds; the load test alone takes 75
