"""What stands for time, threads, systemd, HAProxy and the build while the real code runs in a `World`."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from hosts.agent import (
    accounts,
    boot,
    builds,
    cron,
    envfile,
    handover,
    haproxy,
    layers,
    observe,
    program,
    ready,
    retire,
    run,
    signature,
    smoke,
    stage,
    state,
    status,
    switch,
    systemd,
    units,
)
from hosts.agent.errors import Interrupted
from slipway.fleet import fleet as fleet_module
from slipway.release import (
    membership,
    observe as observing,
    phases,
    preflight,
    prove as proving,
    publish,
    rollback,
    ship,
    switch as switching,
)
from slipway.release.preempt import Preempted
from slipway.release.rollout import Phase, Rollout, Shipment
from slipway.release.switch import Cutover
from slipway.settings import ReleaseFailed
from slipway.storage import lease, ledger, reading
from slipway.storage.lease import Lease
from tests.simulation.bucket import EPOCH
from tests.simulation.hosts import SimHost
from tests.simulation.kernel import Event, Executor, Lock, Thread, attributes
from tests.simulation.world import Manifest, SimConnection, SimStack, World

# phases that need what is not simulated


class Preflight(Phase[Any]):
    name = "preflight"
    touches_fleet = False

    def run(self, rollout: Rollout) -> Any:
        return SimpleNamespace(config="c")


class Build(Phase[Any]):
    name = "build"
    touches_fleet = False

    def run(self, rollout: Rollout) -> Any:
        stack = cast("SimStack", rollout.stack)
        World.current.kernel.sleep(0.5)
        return SimpleNamespace(manifest=Manifest(stack.build, stack.world.plan), source=None)


@dataclass(frozen=True)
class Observe(Phase[None]):
    """Watches the hosts for as long as the plan says; the app decides whether it holds."""

    name = "observe"

    shipment: Shipment
    cutover: Cutover

    def run(self, rollout: Rollout) -> None:
        world = World.current
        for _ in range(int(world.plan.window_seconds)):
            world.kernel.sleep(1)
            rollout.hosts.ask(rollout.hosts.web, lambda host: host.agent.stats())
        if not world.app(self.shipment.number).holds:
            raise ReleaseFailed(f"release {self.shipment.number} did not hold under observation")


@dataclass(frozen=True)
class Prove(Phase[None]):
    name = "prove"

    shipment: Shipment

    def run(self, rollout: Rollout) -> None: ...


def _verifies(_: Any, content: bytes, given: str, signer: str, namespace: str) -> bool:
    return (signer, given) == ("operator", f"{namespace} {hashlib.sha256(content).hexdigest()}")


def _publish(build: Any, bucket: Any, *, sign: Any, progress: Any) -> Any:
    return SimpleNamespace(uploaded=[], bytes=0)


class _Time:
    """The module `time`, on the virtual clock."""

    def time(self) -> float:
        kernel = World.current.kernel
        host = World.current.machine.get(kernel.process.pid)
        return EPOCH + kernel.now + (host.skew if host else 0.0)

    def time_ns(self) -> int:
        return int(self.time() * 1e9)

    def monotonic(self) -> float:
        return World.current.kernel.now

    perf_counter = monotonic

    def sleep(self, seconds: float) -> None:
        World.current.kernel.sleep(seconds)


class _Threading:
    """The module `threading`."""

    def Event(self) -> Event:
        return Event(World.current.kernel)

    def Lock(self) -> Lock:
        return Lock(World.current.kernel)

    def Thread(self, *, target: Callable[[], object], **_: object) -> Thread:
        return Thread(World.current.kernel, target)

    def current_thread(self) -> None:
        """Not the lease's own thread."""


class _Signal:
    """The module `signal`, for the process that runs."""

    SIGINT, SIGTERM = 2, 15

    def signal(self, number: int, handler: Any) -> Any:
        process = World.current.kernel.process
        before = process.handler
        if number == self.SIGINT:
            process.handler = handler
        return before


class _Os:
    """The module `os`, with files that close when a simulated process ends."""

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def open(self, *arguments: Any) -> int:
        return World.current.host.opened(os.open(*arguments))

    def close(self, handle: int) -> None:
        World.current.host.close(handle)

    def getpid(self) -> int:
        return World.current.kernel.process.pid


class _Pwd:
    """The module `pwd`, with the accounts of the simulated host."""

    def getpwnam(self, name: str) -> str:
        if name not in World.current.host.accounts:
            raise KeyError(name)
        return name

    def getpwall(self) -> list[Any]:
        return []


def _terminate_agent(pid: int) -> None:
    world = World.current
    host = world.machine.get(pid)
    for process in list(host.processes) if host else []:
        if process.pid == pid:
            world.say(f"{process.name} is interrupted")
            world.kernel.raise_in(process, Interrupted())


@contextmanager
def _stopping_at_loss(held: Lease) -> Generator[None]:
    """As slipway.release.preempt has it: the main thread raises Preempted where it waits."""
    kernel = World.current.kernel
    process = kernel.process
    held.on_loss = lambda: kernel.raise_in(process, Preempted("this command no longer holds the lease"))
    try:
        held.check()
        yield
    finally:
        held.on_loss = None


def _executor(max_workers: int, **_: object) -> Executor:
    return Executor(World.current.kernel, max_workers)


def _on_host(method: Callable[..., Any], *, skip: int = 0) -> Callable[..., Any]:
    def act(*arguments: Any, **named: Any) -> Any:
        return method(World.current.host, *arguments[skip:], **named)

    return act


def _nothing(*_: object, **__: object) -> None:
    return None


def _lay_out(paths: Any, build: str, _: object) -> list[str]:
    Path(paths.build(build)).mkdir(parents=True, exist_ok=True)
    return []


@contextmanager
def simulated() -> Generator[None]:
    """Everything under test runs in `World.current` inside."""
    time, threading, signal, simulated_os = _Time(), _Threading(), _Signal(), _Os()
    timed = (boot, builds, handover, observe, ready, retire, run, smoke, stage, state, switch)
    timed += (lease, membership, phases, rollback, ship, switching)
    changes: list[tuple[object, str, object]] = [(m, "time", time) for m in timed if hasattr(m, "time")]
    changes += [(module, "threading", threading) for module in (lease, ledger)]
    changes += [(m, "ThreadPoolExecutor", _executor) for m in (fleet_module, rollback, reading)]
    changes += [
        (phases, "signal", signal),
        (fleet_module, "Connection", SimConnection),
        (preflight, "Preflight", Preflight),
        (ship, "stopping_at_loss", _stopping_at_loss),
        (ship.build, "BuildSource", Build),
        (publish, "publish", _publish),
        (observing, "Observe", Observe),
        (proving, "Prove", Prove),
        (state, "os", simulated_os),
        (state, "_terminate_agent", _terminate_agent),
        (systemd, "start", _on_host(SimHost.start_units)),
        (systemd, "stop", _on_host(SimHost.stop_units)),
        (systemd, "show", _on_host(SimHost.show_units)),
        (systemd, "forget_failures", _nothing),
        (systemd, "reload", _nothing),
        (systemd, "journal", lambda *_: []),  # pyright: ignore[reportUnknownLambdaType]
        (haproxy, "ask", _on_host(SimHost.ask_haproxy, skip=1)),
        (ready, "probe", lambda port, *_: World.current.host.probe(port)),  # pyright: ignore
        (program, "run", _on_host(SimHost.run_program)),
        (accounts, "pwd", _Pwd()),
        (layers, "fetch", _on_host(SimHost.fetch)),
        (layers, "delete", lambda path: shutil.rmtree(path, ignore_errors=True)),  # pyright: ignore
        (builds, "lay_out", _lay_out),
        (smoke, "_step", _on_host(SimHost.smoke_step)),
        (smoke, "_Browser", _nothing),
        (signature, "verifies", _verifies),
        (signature, "manifest_id", lambda manifest: manifest["id"]),  # pyright: ignore
        (envfile, "write_slot", _nothing),
        (envfile, "remove_slot", _nothing),
        (envfile, "secrets", lambda *_: []),  # pyright: ignore[reportUnknownLambdaType]
        (units, "write_slot", _nothing),
        (retire, "ensure_timer", _nothing),
        (retire, "start_timer", _nothing),
        (cron, "sync", _nothing),
        (cron, "start", _nothing),
        (status, "_disk", lambda _: {"free": 1 << 40, "total": 1 << 40}),  # pyright: ignore
    ]
    with attributes(changes):
        yield
