"""Settle: bring every host, each by itself, to what the protocol wants, and say what the hosts are then."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from slipway.fleet.agent_call import AgentError
from slipway.fleet.fleet import FleetHost, answers
from slipway.fleet.ssh import HostDown, HostLost, HostTimeout
from slipway.release.protocol import Goal, HostView, Task, is_reached, next_task, view
from slipway.release.rollout import Rollout, Shipment
from slipway.release.smoke import smoke_on
from slipway.release.stage import stage_on
from slipway.release.switch import switch_to
from slipway.settings import SlipwayError

DOING: Mapping[Task, str] = {
    "stage": "staging release {release}",
    "boot": "booting release {release}",
    "smoke": "smoke test of release {release}",
    "switch": "switching to release {release}",
    "restart": "stopping release {release}, which does not answer",
    "stop": "emptying the slot of release {gone}",
}


RESTART_SECONDS = 30.0
"""A host that has just gone down may be restarting; this is the time for that."""


@dataclass(frozen=True)
class Settled:
    """What became of the hosts. By name: what those say that did all they had to, and why others did not."""

    goal: Goal
    views: Mapping[str, HostView]
    failures: Mapping[str, Exception]

    @property
    def is_complete(self) -> bool:
        """Is the goal reached on every host that the stack has?"""
        return not self.failures and is_reached(self.goal, self.views.values())

    @property
    def is_overtaken(self) -> bool:
        """Did a host refuse because a command with a newer fence is at work?"""
        return any(isinstance(each, AgentError) and each.code == "fenced" for each in self.failures.values())

    @property
    def unreachable(self) -> list[str]:
        """Hosts that could not be reached; others answered, and refused or failed."""
        lost = (HostDown, HostLost, HostTimeout)
        return [name for name, failure in self.failures.items() if isinstance(failure, lost)]

    def remedy(self, stack: str) -> str:
        """What a person does about the hosts that failed."""
        again = f"`slipway status --stack {stack}` tries again"
        if self.unreachable:
            return f"make {', '.join(self.unreachable)} reachable; then {again}"
        return f"fix what the hosts named here report; then {again}"

    def reasons(self, rollout: Rollout) -> list[str]:
        """Why hosts failed, a line for each."""
        return [f"{name}: {rollout.redact(str(failure))}" for name, failure in self.failures.items()]


def settle(rollout: Rollout, goal: Goal) -> Settled:
    """Bring every host to `goal`; one that fails keeps none of the others from getting there.

    Each host is first asked what it is, under a new order: from then on it refuses whatever an earlier step
    or command may still send.
    """
    hosts = [host for host in rollout.hosts.all if host.name not in rollout.away]
    target = rollout.shipped(goal.release) if goal.release else None
    views, failures = ask_views(rollout, hosts, lambda host: _bring(rollout, host, goal, target))
    return Settled(goal, views, {**rollout.away, **failures})


def look(rollout: Rollout) -> tuple[Mapping[str, HostView], Mapping[str, Exception]]:
    """What the hosts say at this moment, and why others say nothing."""
    return ask_views(rollout, rollout.hosts.all, lambda host: view(host.agent.status()))


def ask_views(
    rollout: Rollout, hosts: Sequence[FleetHost], work: Callable[[FleetHost], HostView]
) -> tuple[Mapping[str, HostView], Mapping[str, Exception]]:
    """The views that `work` returns, and the failures, by host name."""
    return answers(lambda: rollout.hosts.ask(hosts, work))


def _bring(rollout: Rollout, host: FleetHost, goal: Goal, target: Shipment | None) -> HostView:
    done: list[Task] = []
    retired = False
    host.connection.open(RESTART_SECONDS)
    while True:
        seen = view(host.agent.status(order=rollout.next_order()))
        task = next_task(goal, seen, done)
        if task is None:
            return seen
        if task in done:
            raise SlipwayError(f"{host.name} answered that it did `{task}`, and has not")
        rollout.progress.host(host.name, DOING[task].format(release=goal.release or "none", gone=goal.gone))
        try:
            _do(rollout, host, task, goal, target)
        except AgentError as failure:
            if failure.code != "not_warm" or retired:
                raise
            # The slot's time was over between the answer and the task: the way back is a cold one.
            retired = True
            continue
        done.append(task)


def _do(rollout: Rollout, host: FleetHost, task: Task, goal: Goal, target: Shipment | None) -> None:
    if task == "switch":
        switched = switch_to(rollout, host, target, wait=True, back=True)
        if switched.not_ready:
            rollout.warnings.append(
                f"{host.name} works with release {goal.release} again, whose workers are not ready yet: "
                f"{rollout.redact(switched.not_ready)}"
            )
    elif task in ("stop", "restart"):
        gone = goal.gone if task == "stop" else goal.release
        host.agent.stop(order=rollout.order, release=gone or 0)
    elif target is not None:
        if task == "stage":
            stage_on(rollout, target, host)
        elif task == "boot":
            host.agent.boot(order=rollout.order, release=target.number)
        else:
            smoke_on(rollout, target, host)
