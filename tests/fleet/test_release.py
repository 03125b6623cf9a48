"""Releases, failed releases and rollbacks on live hosts, under the traffic of the meter."""

import json
import os
import random
import time

import pytest

from tests.fleet.command import slipway, start
from tests.fleet.sabotage import ANSWERS_500, SABOTAGES, Sabotage, edit
from tests.fleet.site import Site
from tests.fleet.traffic import traffic

pytestmark = pytest.mark.fleet

SWITCHES = int(os.environ.get("SLIPWAY_SWITCHES", "3"))
"""How many releases are interrupted at the switch, at a random instant each."""


def test_a_changed_app_ships_under_traffic_and_nothing_is_lost(site: Site):
    before = site.live()
    site.change("a changed headline")
    with site.kept_source(), traffic(site.root) as meter:
        # How fast two processors are that all hosts share is not the question here.
        edit(site.app / "slipway.toml", "p95_ms = 500", "p95_ms = 5000")
        shipped = slipway(site.root, "release", "--json", "--observe", "3")
    assert shipped.code == 0, shipped.err
    assert shipped.json["release"] > before
    assert site.health()["release"] == shipped.json["release"]
    meter.assert_nothing_lost()


@pytest.mark.parametrize("sabotage", SABOTAGES, ids=lambda sabotage: sabotage.name)
def test_a_release_that_fails_is_undone_and_nothing_is_lost(site: Site, sabotage: Sabotage):
    before = site.health()
    with site.sabotaged(sabotage), traffic(site.root) as meter:
        failed = slipway(site.root, "release", "--json", "--no-checks")
    assert failed.code == 1, failed.out + failed.err
    assert sabotage.says in failed.error
    assert site.health()["release"] == before["release"]
    assert site.health()["build"] == before["build"]
    meter.assert_nothing_lost()
    assert slipway(site.root, "status", "--json").json["unfinished"] is None


def test_a_release_that_answers_500_goes_back_by_itself_and_cuts_no_socket(site: Site):
    before = site.live()
    with site.sabotaged(ANSWERS_500), traffic(site.root) as meter:
        failed = slipway(site.root, "release", "--json", "--no-checks", "--observe", "20")
    assert failed.code == 1, failed.out + failed.err
    assert "5xx" in failed.error
    assert site.live() == before
    report = meter.report
    assert report["sockets"]["abnormal"] == 0, report["kinds"]
    # Every request had its answer. Some were the release's own 500s, until it was sent back.
    assert report["requests"]["lost"] == 0, report["kinds"]
    assert set(report["kinds"]) == {"request: status 500"}
    assert report["per_second"][-1]["errors"] == 0


def test_a_rollback_to_a_warm_slot_loses_nothing_and_needs_no_argument(site: Site):
    site.release()
    first = site.live()
    site.change("to be rolled back")
    site.release()
    with traffic(site.root) as meter:
        back = slipway(site.root, "rollback", "--json")
    assert back.code == 0, back.err
    assert back.json["warm"] is True
    assert back.json["release"] == first
    assert site.live() == first
    meter.assert_nothing_lost()


def test_a_rollback_to_a_release_that_is_cold_boots_it_again(site: Site):
    site.release()
    oldest = site.live()
    for text in ("one", "two"):
        site.change(text)
        site.release()
    back = slipway(site.root, "rollback", "--to", str(oldest), "--json")
    assert back.code == 0, back.err
    assert back.json["warm"] is False
    assert site.live() == oldest


def test_a_rollback_past_a_contract_migration_is_refused(site: Site):
    site.release()
    before = site.live()
    with site.kept_source():
        name = "9500_contract"
        (site.app / "migrations" / f"{name}.up.sql").write_text("-- slipway: contract\nSELECT 1;\n")
        (site.app / "migrations" / f"{name}.down.sql").write_text("SELECT 1;\n")
        site.release()
        refused = slipway(site.root, "rollback", "--json")
        assert refused.code == 1
        assert name in refused.error
        assert site.live() > before


def test_two_releases_at_once_the_second_is_told_who_holds_the_lease(site: Site):
    first = start(site.root, "release", "--json", "--observe", "6")
    try:
        held = site.wait_for_lease()
        second = slipway(site.root, "release", "--json")
        out, err = first.communicate(timeout=120)
    finally:
        first.kill()
    assert second.code == 3, second.out + second.err
    assert held in second.error
    assert "until" in second.error
    assert first.returncode == 0, err
    assert json.loads(out)["release"] == site.live()


def test_a_config_only_release_ships_the_same_build_with_another_env(site: Site):
    site.release()
    build = site.health()["build"]
    with site.kept_source():
        site.override_env("FEATURE_CHAT", "false")
        shipped = slipway(site.root, "release", "--json", "--observe", "0")
    assert shipped.code == 0, shipped.err
    assert shipped.json["build"] == build
    assert site.get("/api/config").json()["features"]["chat"] is False


def test_a_corrupt_layer_is_refused_and_named(site: Site):
    site.change("whose layer is corrupt")
    digest = site.publish_then_corrupt_the_app_layer()
    failed = slipway(site.root, "release", "--json", "--observe", "0")
    assert failed.code == 1, failed.out + failed.err
    assert digest[:20] in failed.error
    site.heal_layer(digest)


def test_a_full_disk_is_told_with_numbers_and_nothing_changes(site: Site):
    before = site.live()
    with site.full_disk("web2"):
        site.change("too big for web2")
        failed = slipway(site.root, "release", "--json", "--observe", "0")
    assert failed.code in (1, 2), failed.out + failed.err
    assert "web2" in failed.error
    assert site.live() == before


def test_a_host_that_is_down_stops_a_release_before_anything_is_touched(site: Site):
    before = site.live()
    with site.host_down("web2"):
        failed = slipway(site.root, "release", "--json")
    assert failed.code == 1, failed.out + failed.err
    assert "web2" in failed.error
    assert site.live() == before


def test_interrupted_by_ctrl_c_a_release_is_undone_and_says_so(site: Site):
    before = site.live()
    site.change("never seen")
    running = start(site.root, "release", "--observe", "60")
    site.wait_for_phase(running, "observe")
    running.send_signal(2)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 1, err
    assert "interrupted" in err
    assert f"Release {before} serves as before" in err
    assert site.live() == before


@pytest.mark.parametrize("phase", ["stage", "boot", "switch", "observe"])
def test_a_killed_release_is_undone_by_the_next_command(site: Site, phase: str):
    before = site.live()
    site.change(f"killed in {phase}")
    running = start(site.root, "release", "--observe", "60")
    site.wait_for_phase(running, phase)
    running.kill()
    running.communicate()
    if phase != "stage":  # whose lease is waited for
        site.end_lease()
    seen = slipway(site.root, "status", "--json", "--wait", "60")
    assert seen.code == 0, seen.err
    assert seen.json["live"] == before
    assert seen.json["unfinished"] is None
    assert site.live() == before
    hosts = {host["active"]["release"] for host in seen.json["hosts"] if host["active"]}
    assert hosts == {before}


@pytest.mark.parametrize("phase", ["stage", "boot", "smoke"])
def test_a_killed_cold_rollback_is_undone_by_the_next_command(site: Site, phase: str):
    site.release()
    oldest = site.live()
    for text in ("one", "two"):
        site.change(f"{text}, before a rollback is killed in {phase}")
        site.release()
    before = site.live()
    running = start(site.root, "rollback", "--to", str(oldest))
    site.wait_for_phase(running, phase)
    running.kill()
    running.communicate()
    site.end_lease()
    seen = slipway(site.root, "status", "--json", "--wait", "60")
    assert seen.code == 0, seen.err
    assert (seen.json["live"], seen.json["unfinished"]) == (before, None)
    assert f"undid the rollback to release {oldest}" in seen.json["recovered"]
    assert {host["active"]["release"] for host in seen.json["hosts"]} == {before}
    assert site.live() == before


def test_interrupted_at_the_switch_all_hosts_serve_the_same_and_the_message_says_what(site: Site):
    before = site.live()
    for number in range(SWITCHES):
        site.change(f"interrupted at the switch, {number}")
        running = start(site.root, "release", "--observe", "60", "--no-checks")
        site.wait_for_phase(running, "switch")
        time.sleep(random.uniform(0, 0.15))
        running.send_signal(2)
        _, err = running.communicate(timeout=120)
        assert running.returncode == 1, err
        assert f"Release {before} serves as before" in err
        seen = slipway(site.root, "status", "--json").json
        assert {host["active"]["release"] for host in seen["hosts"]} == {before}
        assert (seen["unfinished"], seen["recovered"]) == (None, None)


def test_the_history_tells_who_did_what(site: Site):
    site.release()
    newest = slipway(site.root, "history", "--json").json[0]
    assert newest["status"] == "promoted"
    assert "@" in newest["actor"]


def test_logs_come_from_the_hosts_that_run_the_process(site: Site):
    site.get("/api/config")
    web = slipway(site.root, "logs", "--process", "web", "-n", "5")
    assert web.code == 0, web.err
    assert {line.split()[0] for line in web.out.splitlines()} == {"web1", "web2"}
    worker = slipway(site.root, "logs", "--process", "worker", "-n", "5")
    assert worker.code == 0, worker.err
    assert {line.split()[0] for line in worker.out.splitlines()} <= {"worker1"}
    nowhere = slipway(site.root, "logs", "--process", "worker", "--host", "web1")
    assert nowhere.code == 2
    assert "web1 does not run worker" in nowhere.err


def test_a_one_off_task_runs_with_the_release_env(site: Site):
    done = slipway(
        site.root, "run", "--json", "--", "bun", "run", "src/task.ts", "outbox.drain", "--batch-size", "5"
    )
    assert done.code == 0, done.out + done.err
