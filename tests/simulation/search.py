"""Every order of events in a small world: two web hosts, a worker, two commands, and a few faults.

Breadth first, so that the story of a failure is the shortest there is. What is decided, is decided by
`slipway.release.protocol`, the module that the pipeline calls; hosts are those of `model.py`. The two web
hosts are alike, so states that differ in their order are one.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from tests.simulation.small_world import (
    ACTIVE,
    NAMES,
    Node,
    Record,
    Run,
    Seat,
    State,
    deliver,
    do_next,
    end_handover,
    end_round,
    events,
    mailed,
    seen,
    start_command,
    with_run,
)


class Found(AssertionError):
    """A state that must not be, with the shortest story that leads to it."""


# what must be true


def wrong(state: State) -> str | None:
    """What is wrong with a state, if anything."""
    allowed = {state.live, *(record.serves for record in state.records if record.is_open)}
    for n, node in enumerate(state.nodes):
        live = node.host.live
        if live is None:
            return f"{NAMES[n]} serves nothing"
        if node.host.is_web and live.release not in node.proved:
            return f"{NAMES[n]} serves release {live.release}, which was not proved there"
        if live.release not in allowed and seen(node.host).goes_to not in allowed:
            return f"{NAMES[n]} serves release {live.release}; the ledger knows {sorted(allowed)}"
    return None


def unresolved(state: State) -> str | None:
    """What is wrong once the next command has looked after a state in which no command runs."""
    for i, run in enumerate(state.runs):
        if run.mode == "stopped":
            state = mailed(with_run(state, i, run._replace(mode=run.was)), i, "dead")
    runs = (*state.runs, Run("status"))
    seats = tuple(node._replace(seats=(*node.seats, Seat())) for node in state.nodes)
    after = start_command(state._replace(runs=runs, nodes=seats, faults=0), len(runs) - 1)
    last = len(runs) - 1
    for _ in range(60):
        if after.runs[last].mode == "ended":
            break
        handing = [n for n, node in enumerate(after.nodes) if node.seats[last].waits]
        ready = (n for n, node in enumerate(after.nodes) if node.seats[last].is_pending)
        n = next(ready, None)
        if handing:
            after = end_handover(after, handing[0])
        else:
            after = do_next(after, last, n)[1] if n is not None else end_round(after, last)
    else:
        return "the next command does not come to an end"
    for n, node in enumerate(after.nodes):
        for mail in sorted(node.mail):
            after = deliver(after, n, mail)
    for n, node in enumerate(after.nodes):
        host = seen(node.host)
        if host.serves != after.live and host.goes_to != after.live:
            return f"after the next command {NAMES[n]} serves {host.serves}, release {after.live} is live"
    if left := [record.number for record in after.records if record.is_open]:
        return f"after the next command record {left} is still open"
    return wrong(after)


class Known:
    """Every node and every set of commands that was seen, each once: numbers are compared, not contents."""

    def __init__(self) -> None:
        self._nodes: dict[Node, Node] = {}
        self._numbers: dict[int, int] = {}
        """By id of a node that is in `_nodes`."""
        self._runs: dict[tuple[Run, ...], int] = {}
        self._records: dict[tuple[Record, ...], int] = {}
        self._same: tuple[dict[int, Node], dict[int, Node]] = ({}, {})

    def canonical(self, state: State) -> tuple[tuple[int, ...], State]:
        """The same with the web hosts in one order, and without what no longer matters; and its key."""
        stale = any(
            run.mode == "stopped" or (run.mode in ACTIVE and run.fence < state.fence) for run in state.runs
        )
        first, second, worker = (self._node(node, keeps_order=stale) for node in state.nodes)
        numbers = self._numbers
        if numbers[id(second)] < numbers[id(first)]:
            first, second = second, first
        runs = self._runs.setdefault(state.runs, len(self._runs))
        nodes = (numbers[id(first)], numbers[id(second)], numbers[id(worker)])
        records = self._records.setdefault(state.records, len(self._records))
        key = (*nodes, runs, records, state.live, state.fence, state.faults)
        return key, state._replace(nodes=(first, second, worker))

    def _node(self, node: Node, *, keeps_order: bool) -> Node:
        """A node that is the same in all that matters.

        Requests that it would refuse are none; and if none is under way, what it would refuse is no matter.
        """
        if (same := self._same[keeps_order].get(id(node))) is not None:
            return same
        mail = frozenset(mail for mail in node.mail if mail.order >= node.host.order)
        host = node.host if mail or keeps_order else replace(node.host, order=(0, 0))
        made = node._replace(mail=mail, host=host)
        same = self._nodes.setdefault(made, made)
        self._numbers.setdefault(id(same), len(self._numbers))
        self._same[keeps_order][id(same)] = same
        return same


def search(start: State) -> int:
    """Look at every state that can be reached; returns how many. Raises Found at the first that is wrong."""
    known = Known()
    key, state = known.canonical(start)
    came: dict[tuple[int, ...], tuple[tuple[int, ...], str] | None] = {key: None}
    queue = deque([(key, state)])
    while queue:
        key, state = queue.popleft()
        problem = wrong(state)
        if problem is None and not any(run.mode in ACTIVE for run in state.runs):
            problem = unresolved(state)
        if problem is not None:
            raise Found("\n".join([problem, *_story(came, key)]))
        for label, happened in events(state):
            next_key, after = known.canonical(happened)
            if next_key not in came:
                came[next_key] = (key, label)
                queue.append((next_key, after))
    return len(came)


def _story(
    came: dict[tuple[int, ...], tuple[tuple[int, ...], str] | None], key: tuple[int, ...]
) -> list[str]:
    lines: list[str] = []
    while (step := came[key]) is not None:
        key, label = step
        lines.append(label)
    return lines[::-1]
