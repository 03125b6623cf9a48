"""The host agent's typed client: one method a command, JSON in on its standard input, JSON out.

Values of secrets (the env of a release, what smoke steps fill in) go over standard input only. Commands that
change a host carry an order (the fence of the lease and the command's own step); the host refuses one that is
older than the newest it has seen.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from slipway.fleet import replies
from slipway.fleet.agent_call import Call
from slipway.fleet.process import Lines
from slipway.fleet.ssh import Connection


class Order(NamedTuple):
    """Which command a request belongs to, and which of its steps. A host refuses one that is older."""

    fence: int
    step: int
    ticket: Mapping[str, str] = {}
    """The fence's signature, which hosts want from an ssh key of CI; empty: whoever asks may not sign."""

    @property
    def numbers(self) -> tuple[int, int]:
        """Fence and step."""
        return self.fence, self.step


_LOOK_SECONDS, _LOCK_SECONDS = 20.0, 30.0
_WORK_SECONDS = 1800.0
_CERTIFICATE_SECONDS = 600.0
_DRAIN_SECONDS = 4500.0
"""The longest drain (an hour) and the longest boot that slipway.toml allows, with a margin."""


class Agent:
    """The agent of one host. Every method may raise AgentError, HostDown, HostLost or HostTimeout."""

    def __init__(self, connection: Connection) -> None:
        self.host = connection.host
        self._call = Call(connection)

    def status(self, *, order: Order | None = None) -> replies.Status:
        """What the host runs at this moment; with `order`, it refuses older commands from then on."""
        seconds = _LOOK_SECONDS if order is None else _LOOK_SECONDS + _LOCK_SECONDS
        return self._call("status", _ordered(order), replies.Status, seconds=seconds)

    def stage(
        self,
        *,
        order: Order,
        release: int,
        build: str,
        manifest: Mapping[str, object],
        config: str,
        env: Mapping[str, Mapping[str, str]],
        ticket: Mapping[str, object] | None,
        env_ticket: Mapping[str, object],
        slot: replies.SlotName | None = None,
        site: str | None = None,
        secret_names: Sequence[str] | None = None,
        on_progress: Lines | None = None,
    ) -> replies.Staged:
        """Fetch and verify the layers the host lacks, and put the release into the idle slot.

        `env` is by process, and `task`, `cron`, `migrate`. `ticket` is the signature that allows the release,
        `env_ticket` the one that allows this env.
        `secret_names` are the variables whose values the agent redacts in log lines; `site` is the Host
        header of the app.
        """
        request = {
            **_ordered(order),
            "release": release,
            "build": build,
            "manifest": manifest,
            "config": config,
            "env": env,
            "ticket": ticket,
            "env_ticket": env_ticket,
            "slot": slot,
            "site": site,
            "secret_names": secret_names,
        }
        return self._call(
            "stage", request, replies.Staged, seconds=_WORK_SECONDS + _DRAIN_SECONDS, on_progress=on_progress
        )

    def boot(self, *, order: Order, release: int) -> replies.Booted:
        """Start the staged release and wait until every instance is ready."""
        request = {**_ordered(order), "release": release}
        return self._call("boot", request, replies.Booted, seconds=_WORK_SECONDS)

    def smoke(
        self,
        *,
        order: Order,
        release: int,
        steps: Sequence[Mapping[str, object]],
        values: Mapping[str, str],
        websocket: Mapping[str, object] | None = None,
        timeout: float = 10,
    ) -> replies.Smoked:
        """Run HTTP steps against the idle slot; `values` fill `${NAME}`; `timeout` is for each step."""
        request = {
            **_ordered(order),
            "release": release,
            "steps": steps,
            "values": values,
            "websocket": websocket,
            "timeout": timeout,
        }
        seconds = timeout * (len(steps) + 2) + _LOOK_SECONDS
        return self._call("smoke", request, replies.Smoked, seconds=seconds)

    def switch(
        self,
        *,
        order: Order,
        release: int,
        hold_seconds: float | None = None,
        ticket: Mapping[str, object] | None = None,
        back: bool = False,
        wait: bool = True,
        cron_owner: bool | None = None,
        cron_kinds: Sequence[str] | None = None,
    ) -> replies.Switched:
        """Make the host serve `release`; with `wait` False workers are handed over in the background.

        `back`: it was live before, and needs no more health than the release that it replaces.
        """
        request = {
            **_ordered(order),
            "release": release,
            "ticket": ticket,
            "hold_seconds": hold_seconds,
            "back": back,
            "wait": wait,
            "cron_owner": cron_owner,
            "cron_kinds": cron_kinds,
        }
        seconds = _DRAIN_SECONDS if wait else _LOOK_SECONDS
        return self._call("switch", request, replies.Switched, seconds=seconds)

    def stop(self, *, order: Order, release: int) -> replies.Stopped:
        """Stop and empty the slot that holds `release`, if any. The release must not be live."""
        request = {**_ordered(order), "release": release}
        return self._call("stop", request, replies.Stopped, seconds=_DRAIN_SECONDS)

    def retire(
        self,
        *,
        order: Order | None = None,
        slot: replies.SlotName | None = None,
        now: bool = False,
        wait: bool = True,
    ) -> replies.Retired:
        """Drain the idle slot if its hold time is over, or at once with `now`."""
        request = {**_ordered(order), "slot": slot, "now": now, "wait": wait}
        return self._call("retire", request, replies.Retired, seconds=_DRAIN_SECONDS)

    def run(
        self,
        *,
        scope: Literal["task", "migrate"],
        argv: Sequence[str] = (),
        timeout: float,
        order: Order | None = None,
        release: int | None = None,
        env: Mapping[str, str] | None = None,
        slot: replies.SlotName | None = None,
        directory: str | None = None,
        on_output: Lines | None = None,
    ) -> replies.Ran:
        """Run a one-off command with a release's code and env; `on_output` is called with each line.

        Without `argv`, scope `migrate` runs the migrate command of the release's manifest, by sh.
        """
        request = {
            **_ordered(order),
            "release": release,
            "scope": scope,
            "argv": list(argv),
            "env": env,
            "timeout": timeout,
            "slot": slot,
            "directory": directory,
        }
        return self._call("run", request, replies.Ran, seconds=timeout + 60, on_progress=on_output)

    def logs(self, *, lines: int = 100, process: str | None = None, since: str | None = None) -> list[str]:
        """The newest log lines of the app's processes, not redacted."""
        request = {"lines": lines, "process": process, "since": since}
        return self._call.text("logs", request, seconds=_LOOK_SECONDS)

    def follow_logs(self, *, lines: int = 10, process: str | None = None) -> Iterator[str]:
        """The newest log lines, then each new one, until the iterator is closed."""
        return self._call.follow("logs", {"lines": lines, "process": process, "follow": True})

    def prune(self, *, keep: int, promoted: int = 0, order: Order | None = None) -> replies.Pruned:
        """Remove builds and layers that no slot needs, except the newest `keep`.

        `promoted` is the release that was promoted just now: if the host serves it, it refuses older ones.
        """
        request = {**_ordered(order), "keep": keep, "promoted": promoted}
        return self._call("prune", request, replies.Pruned, seconds=_WORK_SECONDS)

    def restore(self) -> replies.Restored:
        """Start the live release again, as after a reboot."""
        return self._call("restore", {}, replies.Restored, seconds=_WORK_SECONDS)

    def probe(self, *, path: str, count: int = 1, slot: Literal["live", "idle"] = "live") -> replies.Probed:
        """Request `path` `count` times on the host itself, routed to that slot by its HAProxy."""
        request = {"path": path, "count": count, "slot": slot}
        return self._call("probe", request, replies.Probed, seconds=_LOOK_SECONDS + count * 5)

    def observe(
        self, *, before_switch: float | None = None, hung_seconds: float = 0, response_seconds: float = 0
    ) -> replies.Observed:
        """The traffic of each slot since the host switched to its live release, by the host's own clock.

        `before_switch`: in so many seconds before that. A request that waits for `hung_seconds` counts as
        slow; `response_seconds` is the host's time limit for an answer.
        """
        request = {
            "since_switch": before_switch is None,
            "before_switch": before_switch,
            "hung_seconds": hung_seconds,
            "response_seconds": response_seconds,
        }
        return self._call("observe", request, replies.Observed, seconds=_LOOK_SECONDS)

    def stats(self) -> replies.Stats:
        """HAProxy's counters by slot."""
        return self._call("stats", {}, replies.Stats, seconds=_LOOK_SECONDS)

    def certificate(self, *, now: bool = False) -> replies.Certificate:
        """How the edge gets its certificate; with `now`, after an attempt that does not wait for its turn."""
        seconds = _LOOK_SECONDS + (_CERTIFICATE_SECONDS if now else 0)
        return self._call(
            "certificate", {"do": "now" if now else "look"}, replies.Certificate, seconds=seconds
        )


def _ordered(order: Order | None) -> dict[str, object]:
    if order is None:
        return {}
    return {"fence": order.fence, "step": order.step, "fence_ticket": order.ticket or None}
