"""What the protocol decides from what ledger and hosts say."""

import pytest

from slipway.fleet.replies import HaProxy, Slot, SlotState, Status
from slipway.release.protocol import (
    ROUNDS,
    Goal,
    HostView,
    SlotView,
    Task,
    is_astray,
    is_reached,
    next_task,
    view,
    way_back,
    way_out,
    what_serves,
)
from tests.unit.release.conftest import release


def host(
    live: int | None, other: int | None = None, state: SlotState = "warm", *, up: bool = True
) -> HostView:
    slots = ([SlotView(live, "live")] if live else []) + ([SlotView(other, state, up)] if other else [])
    return HostView(is_web=True, slots=tuple(slots), serves=live)


BACK_TO_4 = Goal(4, gone=5)


@pytest.mark.parametrize(
    ("seen", "done", "task"),
    [
        (host(5, 4), (), "switch"),
        (host(5), (), "stage"),
        (host(5, 4, "failed"), (), "stage"),
        (host(5, 4, "draining"), (), "stage"),
        (host(5, 4, "staged"), (), "boot"),
        (host(5, 4, "booted"), (), "smoke"),
        (host(5, 4, "booted"), ("smoke",), "switch"),
        (host(5, 4, up=False), (), "restart"),
        (host(5, 4, up=False), ("restart",), "switch"),
        (host(4, 5), (), "stop"),
        (host(4, 5, "failed"), (), "stop"),
        (host(4), (), None),
        (host(None), (), None),
    ],
)
def test_a_host_on_its_way_back_does_what_it_lacks(seen: HostView, done: tuple[Task, ...], task: Task | None):
    assert next_task(BACK_TO_4, seen, done) == task


def test_a_slot_that_is_down_is_gone_back_to_if_what_serves_is_down_too():
    both_down = HostView(True, (SlotView(5, "live", False), SlotView(4, "warm", False)), serves=5)
    assert next_task(BACK_TO_4, both_down) == "switch"
    assert both_down.can_serve(4)


def test_a_worker_is_not_smoke_tested():
    worker = HostView(False, (SlotView(5, "live"), SlotView(4, "booted")), serves=5)
    assert next_task(BACK_TO_4, worker) == "switch"


def test_an_open_handover_is_redirected_or_finished_by_a_switch():
    handing = HostView(False, (SlotView(4, "live"), SlotView(5, "booted")), serves=4, goes_to=5)
    assert next_task(BACK_TO_4, handing) == "switch"
    assert next_task(Goal(5), handing, ("smoke",)) == "switch"
    assert is_astray(handing, 4)
    assert not is_astray(handing, 5)


def test_a_first_release_that_failed_leaves_nothing_that_serves():
    assert next_task(Goal(0, gone=1), host(1)) == "switch"
    assert next_task(Goal(0, gone=1), host(None, 1, "booted")) == "stop"
    assert is_reached(Goal(0, gone=1), [host(None)])


def test_what_a_rollback_found_warm_stays_warm_when_it_is_undone():
    goal = way_back(release(6).model_copy(update={"kind": "rollback", "target": 4}), 5).goal
    assert next_task(goal, host(5, 4, "warm")) is None
    assert next_task(goal, host(5, 4, "booted")) == "stop"


@pytest.mark.parametrize(
    ("hosts", "is_forward"),
    [
        ([host(5, 4), host(5, 4)], True),
        ([host(5, 4), host(4, 5)], True),
        ([host(5), host(4, 5)], True),
        ([host(5, 4), host(5)], False),
        ([host(5, 4), host(5, 4, "booted")], False),
        ([host(5, 4), host(5, 4, up=False)], False),
        ([], False),
    ],
)
def test_a_rollback_is_finished_if_its_target_serves_or_can_serve_everywhere(
    hosts: list[HostView], is_forward: bool
):
    record = release(6).model_copy(update={"kind": "rollback", "target": 4})
    way = way_out(record, 5, hosts)
    assert (way.is_forward, way.goal.release) == (is_forward, 4 if is_forward else 5)


def test_a_rollback_that_the_head_names_is_finished_whatever_hosts_say():
    record = release(6).model_copy(update={"kind": "rollback", "target": 4})
    assert way_out(record, 4, []).is_forward


def test_a_release_that_the_head_does_not_name_is_undone_wherever_it_serves():
    assert way_out(release(5), 4, [host(5, 4)] * 2).goal == BACK_TO_4


def test_every_way_forward_proves_a_release_before_any_host_switches():
    for name in ("release", "cold rollback"):
        tasks = [task for task, _ in ROUNDS[name]]
        assert tasks.index("switch") > max(tasks.index(each) for each in ("stage", "boot", "smoke"))


def test_a_status_is_read_as_its_host_means_it():
    said = Status(
        active="blue",
        slots={
            "blue": Slot(state="live", release=4),
            "green": Slot(state="booted", release=5),
        },
        handover={"to": "green"},
        haproxy=HaProxy(up={"blue": 1, "green": 0}),
    )
    seen = view(said)
    assert (seen.is_web, seen.serves, seen.goes_to) == (True, 4, 5)
    assert [slot.is_up for slot in seen.slots] == [True, False]


@pytest.mark.parametrize(
    ("hosts", "said"),
    [
        ({"web1": host(4), "web2": host(4)}, "Release 4 serves as before."),
        (
            {"web1": host(4), "web2": host(5)},
            "The hosts differ: release 4 serves on web1; release 5 serves on web2. "
            "The ledger names release 4 as live.",
        ),
        (
            {"web1": host(4), "worker1": HostView(False, (SlotView(4, "live"), SlotView(3, "warm")), 4, 3)},
            "The hosts differ: release 4 serves on web1, worker1; worker1 hands over to release 3. "
            "The ledger names release 4 as live.",
        ),
        (
            {"worker1": HostView(False, (SlotView(5, "live"), SlotView(4, "warm")), 5, goes_to=4)},
            "Release 4 serves as before. worker1 still finishes jobs of release 5.",
        ),
    ],
)
def test_what_serves_is_said_by_the_hosts(hosts: dict[str, HostView], said: str):
    assert what_serves(4, 4, hosts) == said


def test_what_serves_now_is_told_from_what_served_before_and_from_what_is_not_known():
    assert what_serves(3, 4, {"web1": host(3)}) == "Release 3 serves now."
    assert what_serves(None, None, {"web1": host(None)}) == "The stack serves nothing as before."
    assert what_serves(4, 4, {"web1": host(4)}, ["web2"]) == (
        "Release 4 serves as before on web1. No answer from web2."
    )
    assert what_serves(4, 4, {}, ["web1"]) == (
        "No host said what it serves. The ledger names release 4 as live."
    )
