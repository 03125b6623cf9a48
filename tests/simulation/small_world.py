"""A world small enough to look at every order of its events: what may happen next, and what becomes of it.

What is decided, is decided by `slipway.release.protocol`, the module that the pipeline calls; hosts are those
of `model.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Literal, NamedTuple

from slipway.release.protocol import (
    ROUNDS,
    Goal,
    HostView,
    Task,
    is_astray,
    is_reached,
    next_task,
    view,
    way_back,
    way_out,
)
from slipway.storage.records import Release
from tests.simulation.model import Failed, Held, ModelHost, Refused

Kind = Literal["release", "rollback", "status"]
Mode = Literal["new", "forward", "undo", "recover", "promoted", "stopped", "dead", "ended"]
ACTIVE = ("forward", "undo", "recover", "promoted")
NAMES = ("web1", "web2", "worker1")


class Mail(NamedTuple):
    """A request that is still under way although its command does not wait for it any more."""

    task: Task
    release: int
    order: tuple[int, int]
    back: bool


class Seat(NamedTuple):
    """What one command has still to do with one host."""

    is_pending: bool = False
    waits: bool = False
    """For the end of a handover."""
    done: tuple[Task, ...] = ()


class Node(NamedTuple):
    """A host, and what is under way to it."""

    host: ModelHost
    proved: frozenset[int]
    mail: frozenset[Mail] = frozenset()
    seats: tuple[Seat, ...] = ()


class Record(NamedTuple):
    """A record in the ledger."""

    number: int
    target: int | None
    is_open: bool

    @property
    def serves(self) -> int:
        return self.target or self.number


class Run(NamedTuple):
    """A command."""

    kind: Kind
    mode: Mode = "new"
    was: Mode = "new"
    """What it did when it was stopped."""
    fence: int = 0
    step: int = 0
    record: int = 0
    rounds: tuple[tuple[Task, str], ...] = ()
    round: int = 0
    has_failed: bool = False
    goal: Goal | None = None
    is_forward: bool = False
    closes: int = 0
    """The record that its recovery closes."""


class State(NamedTuple):
    """The whole world."""

    nodes: tuple[Node, ...]
    runs: tuple[Run, ...]
    live: int
    fence: int
    """The newest that the head has seen."""
    records: tuple[Record, ...]
    faults: int


@cache
def seen(host: ModelHost) -> HostView:
    return view(host.status())


@cache
def stored(record: Record) -> Release:
    kind = "release" if record.target is None else "rollback"
    given = {"stack": "s", "build": "b", "config": "c", "actor": "a", "created": 0, "fence": 0}
    return Release.model_validate({"number": record.number, "kind": kind, "target": record.target, **given})


def begin(kinds: tuple[Kind, ...], *, is_warm: bool, faults: int, broken: bool) -> State:
    """Release 2 is live everywhere; the slot of release 1 is warm, or empty."""
    seats = (Seat(),) * len(kinds)

    def node(name: str) -> Node:
        host = ModelHost(
            is_web=name.startswith("web"),
            slots=(Held(2, "live"), Held(1, "warm") if is_warm else None),
            active=0,
            broken=frozenset({3}) if broken and name != "web1" else frozenset(),
        )
        return Node(host, frozenset({1, 2}), seats=seats)

    records = (Record(1, None, False), Record(2, None, False))
    nodes = tuple(node(name) for name in NAMES)
    return State(nodes, tuple(Run(kind) for kind in kinds), 2, 0, records, faults)


# what may happen next


Event = tuple[str, State]


def events(state: State) -> Iterator[Event]:
    """Everything that may happen next."""
    if (alone := _alone(state)) is not None:
        yield from _on_host(state, *alone)
        return
    for i, run in enumerate(state.runs):
        if run.mode == "new" and not any(other.mode in ACTIVE for other in state.runs):
            yield f"{run.kind} {i} begins", start_command(state, i)
        elif run.mode == "stopped" and any(other.fence > run.fence for other in state.runs):
            yield f"{run.kind} {i} continues", _continue(state, i)
        elif run.mode in ACTIVE:
            yield from _advance(state, i, run)
            if state.faults:
                yield from _strike(state, i, run)
    for n, node in enumerate(state.nodes):
        yield from _by_itself(state, n)
        warm = any(held is not None and held.state == "warm" for held in node.host.slots)
        if state.faults and warm and node.host.goes_to is None:
            ended = _with_node(state, n, node._replace(host=node.host.retire()))
            yield f"the hold ends on {NAMES[n]}", ended._replace(faults=state.faults - 1)


def _alone(state: State) -> tuple[int, int] | None:
    """The command and the host whose turn it is if the order of the hosts makes no difference.

    That is so when nothing can go wrong any more: what happens on one host then changes no other. Whatever is
    under way to another host is looked at when that has its turn.
    """
    active = [i for i, run in enumerate(state.runs) if run.mode in ACTIVE]
    if state.faults or len(active) != 1 or any(run.mode == "stopped" for run in state.runs):
        return None
    return next(
        ((active[0], n) for n, node in enumerate(state.nodes) if node.seats[active[0]].is_pending), None
    )


def _on_host(state: State, i: int, n: int) -> Iterator[Event]:
    if not state.nodes[n].seats[i].waits:
        label, after = do_next(state, i, n)
        yield f"{state.runs[i].kind} {i}: {NAMES[n]} {label}", after
    yield from _by_itself(state, n)


def _by_itself(state: State, n: int) -> Iterator[Event]:
    """What happens to a host without a command."""
    node = state.nodes[n]
    if node.host.goes_to is not None:
        yield f"{NAMES[n]} ends its handover", end_handover(state, n)
    for mail in sorted(node.mail):
        yield f"{NAMES[n]} gets a late {mail.task} {mail.release}", deliver(state, n, mail)


def start_command(state: State, i: int) -> State:
    fence = max(run.fence for run in state.runs) + 1
    state = state._replace(fence=fence)
    run = state.runs[i]._replace(fence=fence)
    views = [seen(node.host) for node in state.nodes]
    left = [record for record in state.records if record.is_open]
    if left and left[-1].serves == state.live and left[-1].target is None:
        state = _close(state, left[-1].number)  # a promotion that the head names
        left = left[:-1]
    if left:
        way = way_out(stored(left[-1]), state.live, views)
        run = run._replace(mode="recover", goal=way.goal, is_forward=way.is_forward, closes=left[-1].number)
    elif any(is_astray(each, state.live) for each in views):
        run = run._replace(mode="recover", goal=Goal(state.live))
    else:
        return _go_forward(with_run(state, i, run), i)
    return _all_pending(with_run(state, i, run), i)


def _go_forward(state: State, i: int) -> State:
    """Open the command's own record, unless there is nothing for it to do."""
    run, number = state.runs[i], len(state.records) + 1
    target: int | None = None
    warm = False
    if run.kind == "rollback":
        target = 1
        warm = all(seen(node.host).can_serve(1) for node in state.nodes)
    if run.kind == "status" or state.live == target:
        return with_run(state, i, run._replace(mode="ended", goal=None))
    rounds = ROUNDS["rollback" if warm else "cold rollback" if target else "release"]
    state = state._replace(records=(*state.records, Record(number, target, True)))
    run = run._replace(mode="forward", rounds=rounds, round=0, record=number, goal=None, has_failed=False)
    return _begin_round(with_run(state, i, run._replace(step=run.step + 1)), i)


def _begin_round(state: State, i: int) -> State:
    run = state.runs[i]
    where = run.rounds[run.round][1]
    nodes = tuple(
        _seated(node, i, Seat(is_pending=where == "all" or node.host.is_web == (where == "web")))
        for node in state.nodes
    )
    return state._replace(nodes=nodes)


def _advance(state: State, i: int, run: Run) -> Iterator[Event]:
    """What the command does next if nothing goes wrong, on each host that it waits for."""
    if run.mode == "promoted":
        yield f"{run.kind} {i} notes its promotion", _end(_close(state, run.record), i)
        return
    pending = [n for n, node in enumerate(state.nodes) if node.seats[i].is_pending]
    for n in pending:
        if not state.nodes[n].seats[i].waits:
            label, after = do_next(state, i, n)
            yield f"{run.kind} {i}: {NAMES[n]} {label}", after
            if state.faults:
                lost = _failed(after._replace(faults=state.faults - 1), i, n)
                yield f"{run.kind} {i}: {NAMES[n]} {label}, and the answer is lost", lost
                away = _failed(state._replace(faults=state.faults - 1), i, n)
                yield f"{run.kind} {i}: {NAMES[n]} is away", away
    if not pending:
        yield f"{run.kind} {i} ends {run.mode}", end_round(state, i)


def _strike(state: State, i: int, run: Run) -> Iterator[Event]:
    """A signal to the command itself. One that is killed is one that never continues."""
    struck = state._replace(faults=state.faults - 1)
    stopped = with_run(struck, i, run._replace(mode="stopped", was=run.mode))
    yield f"{run.kind} {i} is stopped, or killed", stopped
    if run.mode == "forward":
        yield f"{run.kind} {i} is interrupted", _undo(mailed(struck, i, "undo"), i)


def _request(state: State, i: int, n: int) -> tuple[Task | None, int, bool]:
    """What the command wants from a host now."""
    run, node = state.runs[i], state.nodes[n]
    if run.mode == "forward":
        release = next(record.serves for record in state.records if record.number == run.record)
        return run.rounds[run.round][0], release, run.kind == "rollback"
    goal = run.goal or Goal(0)
    task = next_task(goal, seen(node.host), node.seats[i].done)
    return task, (goal.gone or 0) if task == "stop" else goal.release, True


def _order(state: State, i: int, n: int) -> tuple[int, int]:
    """Of the command's next request to a host. Only requests to one host need be in order."""
    run = state.runs[i]
    return run.fence, run.step + len(state.nodes[n].seats[i].done)


def do_next(state: State, i: int, n: int) -> tuple[str, State]:
    """One request, carried out and answered."""
    run = state.runs[i]
    try:
        host = state.nodes[n].host.fenced(_order(state, i, n))
    except Refused:
        # A newer command is at work. This one stops, and leaves everything to it.
        return "refuses", _end(state, i)
    state = _with_node(state, n, state.nodes[n]._replace(host=host))
    task, release, back = _request(state, i, n)
    if task is None:
        return "has nothing to do", _answered(state, i, n)
    if run.mode != "forward" and task in state.nodes[n].seats[i].done:
        return f"did {task} for nothing", _failed(state, i, n)
    after, is_well = _perform(state, n, task, release, back)
    seat = after.nodes[n].seats[i]
    seat = seat._replace(done=(*seat.done, task)) if run.mode != "forward" else seat
    if after.nodes[n].host.goes_to is not None and task == "switch" and run.rounds != ROUNDS["rollback"]:
        seat = seat._replace(waits=True)
        return "begins its handover", _with_node(after, n, _seated(after.nodes[n], i, seat))
    after = _with_node(after, n, _seated(after.nodes[n], i, seat))
    if not is_well:
        return f"fails {task} {release}", _failed(after, i, n)
    return f"does {task} {release}", _answered(after, i, n) if run.mode == "forward" else after


def _perform(state: State, n: int, task: Task, release: int, back: bool) -> tuple[State, bool]:
    """A task on a host; a handover of workers only begins."""
    node = state.nodes[n]
    try:
        if task == "switch":
            host = node.host.begin_switch(release, back=back)
        else:
            host = node.host.do("stop" if task == "restart" else task, release, back=back)
    except Failed as failed:
        return _with_node(state, n, _free(node._replace(host=failed.host))), False
    except Refused:
        return state, False
    proved = node.proved | {release} if task == "smoke" else node.proved
    after = node._replace(host=host, proved=proved)
    return _with_node(state, n, after if host.goes_to is not None else _free(after)), True


def end_handover(state: State, n: int) -> State:
    node = state.nodes[n]
    try:
        host = node.host.finish_handover(back=True)
    except Failed as failed:
        host = failed.host
    return _with_node(state, n, _free(node._replace(host=host)))


def _free(node: Node) -> Node:
    """No handover is open: whoever waited for one has its answer."""
    seats = tuple(
        seat._replace(waits=False, is_pending=bool(seat.done)) if seat.waits else seat for seat in node.seats
    )
    return node._replace(seats=seats)


def deliver(state: State, n: int, mail: Mail) -> State:
    node = state.nodes[n]
    state = _with_node(state, n, node._replace(mail=node.mail - {mail}))
    try:
        host = node.host.fenced(mail.order)
    except Refused:
        return state
    state = _with_node(state, n, state.nodes[n]._replace(host=host))
    return _perform(state, n, mail.task, mail.release, mail.back)[0]


def end_round(state: State, i: int) -> State:
    run = state.runs[i]
    if run.mode == "forward":
        if run.has_failed:
            return _undo(state, i)
        if run.round + 1 < len(run.rounds):
            state = with_run(state, i, run._replace(round=run.round + 1, step=run.step + 1))
            return _begin_round(state, i) if state.fence <= run.fence else _end(state, i)
        if state.fence > run.fence:
            return _end(state, i)
        live = next(record.serves for record in state.records if record.number == run.record)
        return with_run(state._replace(live=live), i, run._replace(mode="promoted"))
    views = [seen(node.host) for node in state.nodes]
    goal = run.goal or Goal(0)
    if run.has_failed or not is_reached(goal, views):
        record = next((record for record in state.records if record.number == run.closes), None)
        if run.mode == "recover" and run.is_forward and record and record.target != state.live:
            way = way_back(stored(record), state.live)
            back = run._replace(goal=way.goal, is_forward=False, has_failed=False)
            return _all_pending(with_run(state, i, back), i)
        return _end(state, i)
    if state.fence > run.fence:
        return _end(state, i)
    if run.mode == "undo":
        return _end(_close(state, run.record), i)
    if run.closes:
        state = _close(state._replace(live=goal.release), run.closes)
    return _go_forward(state, i)


def _undo(state: State, i: int) -> State:
    run = state.runs[i]
    record = next(record for record in state.records if record.number == run.record)
    goal = way_back(stored(record), state.live).goal
    return _all_pending(with_run(state, i, run._replace(mode="undo", goal=goal, has_failed=False)), i)


def mailed(state: State, i: int, mode: Mode) -> State:
    """What the command has sent may still arrive."""
    run = state.runs[i]
    nodes: list[Node] = []
    for n, node in enumerate(state.nodes):
        mail = node.mail
        if node.seats[i].is_pending and not node.seats[i].waits and run.mode != "promoted":
            task, release, back = _request(state, i, n)
            if task is not None:
                mail |= {Mail(task, release, _order(state, i, n), back)}
        nodes.append(_seated(node._replace(mail=mail), i, Seat()))
    gone = Run(run.kind, "dead", fence=run.fence) if mode == "dead" else run._replace(mode=mode)
    return with_run(state._replace(nodes=tuple(nodes)), i, gone)


def _continue(state: State, i: int) -> State:
    """A command that was stopped, and overtaken meanwhile: what it was about to send goes out."""
    run = state.runs[i]
    state = with_run(state, i, run._replace(mode=run.was))
    if run.was in ("undo", "recover"):
        return state
    return _end(mailed(state, i, "ended"), i)


# small changes


def _with_node(state: State, n: int, node: Node) -> State:
    return state._replace(nodes=(*state.nodes[:n], node, *state.nodes[n + 1 :]))


def with_run(state: State, i: int, run: Run) -> State:
    return state._replace(runs=(*state.runs[:i], run, *state.runs[i + 1 :]))


def _seated(node: Node, i: int, seat: Seat) -> Node:
    return node._replace(seats=(*node.seats[:i], seat, *node.seats[i + 1 :]))


def _answered(state: State, i: int, n: int) -> State:
    return _with_node(state, n, _seated(state.nodes[n], i, Seat()))


def _failed(state: State, i: int, n: int) -> State:
    return with_run(_answered(state, i, n), i, state.runs[i]._replace(has_failed=True))


def _all_pending(state: State, i: int) -> State:
    """Begin to settle, under a new step."""
    run = state.runs[i]
    state = with_run(state, i, run._replace(step=run.step + 10))
    return state._replace(nodes=tuple(_seated(node, i, Seat(is_pending=True)) for node in state.nodes))


def _close(state: State, number: int) -> State:
    records = tuple(
        record._replace(is_open=record.is_open and record.number != number) for record in state.records
    )
    return state._replace(records=records)


def _end(state: State, i: int) -> State:
    nodes = tuple(_seated(node, i, Seat()) for node in state.nodes)
    done = Run(state.runs[i].kind, "ended", fence=state.runs[i].fence)
    return with_run(state._replace(nodes=nodes), i, done)
