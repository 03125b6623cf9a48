"""Trials that begin with a run of checks."""

from __future__ import annotations

import importlib
import inspect
import threading
from collections.abc import Callable, Generator

import pytest

from checks import conftest
from checks.kit.background import Background, begun_early
from checks.kit.matrix import FOLDER
from tests.unit.checks.conftest import Ran

BEGUN = threading.Event()


@begun_early
def slow_trial(site: object, hosts: object) -> str:
    BEGUN.set()
    return f"{site} {hosts}"


@begun_early
def failing_trial(site: object) -> str:
    raise ValueError("no")


@begun_early
def trial_without_its_fixture(missing: object) -> str:
    return str(missing)


@pytest.fixture
def background() -> Generator[Background]:
    background = Background({"site": "a site", "hosts": "its hosts"}.__getitem__)
    yield background
    background.close()


def test_trials_begin_at_once_and_get_their_arguments_from_fixtures(background: Background) -> None:
    background.begin(["slow_trial", "failing_trial"])
    assert BEGUN.wait(30), "it begins before a check needs the result"
    assert background.result(slow_trial) == "a site its hosts"
    with pytest.raises(ValueError, match="no"):
        background.result(failing_trial)


def test_a_trial_that_has_not_begun_begins_when_its_result_is_needed(background: Background) -> None:
    assert background.result(slow_trial) == "a site its hosts"


def test_a_fixture_that_fails_stops_its_own_trial_only(background: Background) -> None:
    background.begin(["trial_without_its_fixture", "slow_trial"])
    assert background.result(slow_trial) == "a site its hosts"
    with pytest.raises(KeyError):
        background.result(trial_without_its_fixture)


SHARED = """
from checks.kit.background import begun_early

@begun_early
def looked_at() -> str:
    raise ValueError("nothing to look at")

@check("I1", waits_for=(looked_at,), **RULE)
def test_the_one(background): background.result(looked_at)

@check("I2", waits_for=(looked_at,), **RULE)
def test_the_other(background): background.result(looked_at)
"""


def test_a_trial_that_breaks_is_the_failure_of_one_check(run: Callable[..., Ran]) -> None:
    ran = run(SHARED)
    assert sorted(ran.verdicts.values()) == ["could not be tried", "fail"]
    untried = next(each for each in ran.results if each["verdict"] == "could not be tried")
    failed = next(each for each in ran.results if each["verdict"] == "fail")
    assert f"(see {failed['id']})" in untried["reason"]


SOURCE = """
import time
from checks.kit.background import begun_early

@pytest.fixture(scope="session")
def broken():
    raise ConnectionError("no site")

@begun_early
def slow(live):
    return time.monotonic()

@begun_early
def needs_broken(broken):
    return 1

@check("X1", waits_for=(slow,), **RULE)
def test_it_waits(background, request):
    assert request.session.items[-2:] == [each for each in request.session.items if "waits" in each.name]
    assert background.result(slow) < QUICK[0]

@check("X1", waits_for=(needs_broken,), **RULE)
def test_it_waits_in_vain(background):
    background.result(needs_broken)

QUICK = []

@check("X2", **RULE)
def test_quick():
    time.sleep(0.2)
    QUICK.append(time.monotonic())
"""


def test_in_a_run_the_checks_that_wait_come_last_and_a_broken_fixture_fails_only_them(
    run: Callable[..., Ran],
) -> None:
    ran = run(SOURCE)
    assert ran.verdicts == {"X1/it-waits": "pass", "X2/quick": "pass", "X1/it-waits-in-vain": "fail"}, (
        ran.said
    )
    assert "no site" in ran.said


AHEAD = """
import threading
BEGAN = threading.Event()
@check("X1", ahead=True, **RULE)
def test_it_runs_ahead(live): BEGAN.set()
@check("X2", ahead=True, **RULE)
def test_it_fails(live): assert live.release == 8, "it is broken"
@check("X3", ahead=True, **RULE)
def test_nothing_is_declared(): not_evaluated("declare it")
@check("X4", **RULE)
def test_meanwhile(): assert BEGAN.wait(30)
"""


def test_a_check_that_runs_ahead_has_its_verdict_after_those_that_run_meanwhile(
    run: Callable[..., Ran],
) -> None:
    ran = run(AHEAD)
    assert list(ran.verdicts.items()) == [
        ("X4/meanwhile", "pass"),
        ("X1/it-runs-ahead", "pass"),
        ("X2/it-fails", "fail"),
        ("X3/nothing-is-declared", "not evaluated"),
    ], ran.said
    assert next(each["reason"] for each in ran.results if each["verdict"] == "fail") == "it is broken"


ENVIRONMENT = """
import os
FOUND = []
@check("X1", **RULE)
def test_the_first(): FOUND.append(dict(os.environ))
@check("X2", **RULE)
def test_the_second(): assert dict(os.environ) == FOUND[0]
"""


def test_the_environment_stays_as_it_is_while_threads_start_processes(run: Callable[..., Ran]) -> None:
    ran = run(ENVIRONMENT)
    assert list(ran.verdicts.values()) == ["pass", "pass"], ran.said


HOSTS = """
import threading
from types import SimpleNamespace

TOGETHER = threading.Barrier(3)

@pytest.fixture(scope="session")
def hosts():
    return {"web1": "web1", "web2": "web2", "data1": "data1"}

@pytest.fixture(scope="session")
def roots():
    return SimpleNamespace(host=lambda host: None)

@check("X1", **RULE)
def test_hosts_are_read_at_once(host):
    TOGETHER.wait(30)
    assert host != "web2", "it is not as it should be"

@check("X2", **RULE)
def test_a_host_is_read_by_one_check_after_another(host, live):
    assert live.name == "paper"
"""


def test_checks_that_read_a_host_run_on_all_hosts_at_once(run: Callable[..., Ran]) -> None:
    ran = run(HOSTS)
    found = {(each["id"].partition("/")[0], each["host"]): each["verdict"] for each in ran.results}
    assert found["X1", "web1"] == "pass"
    assert found["X1", "web2"] == "fail"
    assert found["X1", "data1"] == "pass"
    assert found["X2", "web2"] == "pass"


def test_checks_that_run_ahead_take_fixtures_that_every_folder_has() -> None:
    """`background` asks for them by name before the first check, from no folder of its own."""
    known = set(vars(conftest)) | {"pytestconfig"}
    wanted = {
        (name, fixture)
        for file in sorted(FOLDER.glob("*/test_*.py"))
        for name, value in vars(importlib.import_module(f"checks.{file.parent.name}.{file.stem}")).items()
        for mark in getattr(value, "pytestmark", [])
        if mark.name == "check" and mark.args[0].ahead
        for fixture in inspect.signature(value).parameters
    }
    assert {each for each in wanted if each[1] not in known} == set()
    assert len(wanted) > 10


IDLE = """
from checks.kit.background import begun_early, idle

@begun_early
@idle
def quiet(live):
    return "open"

@check("X1", waits_for=(quiet,), **RULE)
def test_it_stays_open(background):
    assert background.result(quiet) == "open"

@check("X2", **RULE)
def test_another(live, request):
    names = [each.name for each in request.session.items]
    assert names == ["test_another", "test_spends", "test_it_stays_open"]

@check("X3", spends="some", **RULE)
def test_spends(live): pass
"""


def test_a_check_that_lets_time_pass_comes_last(run: Callable[..., Ran]) -> None:
    verdicts = run(IDLE).verdicts
    assert (verdicts["X1/it-stays-open"], verdicts["X2/another"]) == ("pass", "pass")
