"""The simulated world: one stack, its hosts, and the operators' commands, all on one clock.

The pipeline, the ledger, recovery, the ssh client's callers and the agent are the real code; ssh, the bucket,
systemd, HAProxy, layers, the build and the traffic are simulated.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from hosts.agent.signature import RELEASE
from slipway.fleet.fleet import Fleet
from slipway.fleet.process import Completed
from slipway.fleet.ssh import HostDown, HostLost, HostTimeout
from slipway.release import rollback, ship, status as looking
from slipway.release.rollout import Options
from slipway.secrets.signing import Signing
from slipway.settings import Bucket as BucketOutput, Host as HostOutput, Outputs, SecretStore, SlipwayError
from slipway.stack import LiveStack
from slipway.storage.lease import Lease
from slipway.storage.records import Release
from tests.simulation.bucket import SimBucket, Store
from tests.simulation.hosts import App, SimHost
from tests.simulation.kernel import Event, Kernel, Process

SHM = Path("/dev/shm") if Path("/dev/shm").is_dir() else Path("/tmp")
CONNECT_SECONDS = 3.0
ROLES = {"web1": "web", "web2": "web", "worker1": "worker"}


@dataclass
class Command:
    """A command that an operator started, and how it ended."""

    name: str
    process: Process
    began: float
    phase: str = ""
    ended: float | None = None
    report: Any = None
    error: BaseException | None = None
    fence: int = 0

    @property
    def is_over(self) -> bool:
        return self.ended is not None or not self.process.is_alive


@dataclass
class Plan:
    """What a seed decides about the stack."""

    overlap: bool = False
    mailer: bool = False
    """Does a process without traffic run beside the web process?"""
    shared: bool = False
    """Does web1 have the role worker too?"""
    hold_seconds: float = 3600.0
    window_seconds: float = 5.0

    @property
    def roles(self) -> dict[str, str]:
        """By host, its roles in one word."""
        return {**ROLES, **({"web1": "web+worker"} if self.shared else {})}


class World:
    """Use `with World(seed) as world`; everything in it happens in `world.kernel.run`."""

    current: World
    """The one that runs."""

    def __init__(self, seed: object, plan: Plan | None = None) -> None:
        self.seed, self.plan = seed, plan or Plan()
        self.random = random.Random(f"{seed}/world")
        self.kernel = Kernel(seed)
        self.store = Store()
        self.story: list[str] = []
        self.machine: dict[int, SimHost] = {}
        """By pid, the host on which an agent runs."""
        self.apps: dict[str, App] = {}
        """By build."""
        self.commands: list[Command] = []
        self.on_phase: Callable[[Command, str], None] = lambda _command, _phase: None
        self.on_end: Callable[[Command], None] = lambda _command: None
        self.timers = True
        self.data_is_up = True
        self.waiting_for_data: list[Callable[[], None]] = []
        self.bucket_away_until = 0.0
        self.lost_writes = 0
        self.deliveries: dict[str, Callable[[str], list[float]]] = {}
        """By host: the delays with which a request arrives; several: it is duplicated."""
        self.lost_answers: dict[str, int] = {}
        self.has_changed = True
        """Since someone last looked at what users reach, what runs and what the ledger says."""
        self.troubled: set[str] = set()
        """Hosts that had a fault of their own."""
        self.bucket_was_away = self.data_was_away = False
        self.struck: set[str] = set()
        """Commands in which a fault struck."""
        self.root = SHM / f"slipway-simulation-{os.getpid()}"
        self.hosts: dict[str, SimHost] = {}

    def __enter__(self) -> World:
        World.current = self
        shutil.rmtree(self.root, ignore_errors=True)
        for name, role in self.plan.roles.items():
            self.hosts[name] = SimHost(self, name, role, self.root / name)
        return self

    def __exit__(self, *_: object) -> None:
        self.kernel.finish()
        for host in self.hosts.values():
            for handle in list(host.open_files):
                host.close(handle)
        shutil.rmtree(self.root, ignore_errors=True)

    # what is known

    def say(self, what: str) -> None:
        """A line of the story."""
        self.story.append(f"{self.kernel.now:8.2f} {what}")

    def app(self, release: int) -> App:
        """How a release behaves."""
        return self.apps.get(self.store.builds.get(release, ""), App())

    def loses_write(self) -> bool:
        if self.lost_writes and self.random.random() < 0.3:
            self.lost_writes -= 1
            return True
        return False

    def set_data(self, is_up: bool) -> None:
        """The services that every release needs go away, or come back."""
        self.say(f"the data services {'are back' if is_up else 'go away'}")
        self.data_is_up = is_up
        if is_up:
            waiting, self.waiting_for_data = self.waiting_for_data, []
            for wake in waiting:
                wake()

    @staticmethod
    def real_close(handle: int) -> None:
        os.close(handle)

    @property
    def host(self) -> SimHost:
        """The host on which the present process runs."""
        return self.machine[self.kernel.process.pid]

    # commands

    def command(self, name: str, work: Callable[[SimStack, SimProgress], Any]) -> Command:
        """Start a command as an operator does."""
        made: list[Command] = []

        def run() -> None:
            command = made[0]
            stack = SimStack(self, command)
            try:
                command.report = work(stack, SimProgress(self, command))
                self.say(f"{name}: ends well")
            except (SlipwayError, KeyboardInterrupt) as error:
                command.error = error
                self.say(f"{name}: {type(error).__name__}: {error}")
            command.ended = self.kernel.now
            self.on_end(command)

        made.append(Command(name, self.kernel.start(name, run), self.kernel.now))
        self.commands.append(made[0])
        self.say(f"{name} begins")
        return made[0]

    def ship(self, app: App | None = None, *, wait: float = 0, name: str = "") -> Command:
        """`slipway release`"""
        shipped = app or App()

        def work(stack: SimStack, progress: SimProgress) -> Any:
            self.apps[stack.build] = shipped
            return ship.ship(stack, Options(wait_seconds=wait), progress)

        return self.command(name or f"release-{len(self.commands)}", work)

    def roll_back(self, to: int | None = None, *, wait: float = 0) -> Command:
        """`slipway rollback`"""
        return self.command(
            f"rollback-{len(self.commands)}",
            lambda stack, progress: rollback.go_back(stack, to=to, wait_seconds=wait, progress=progress),
        )

    def look(self, *, wait: float = 0) -> Command:
        """`slipway status`"""
        return self.command(
            f"status-{len(self.commands)}",
            lambda stack, progress: looking.look(stack, progress, wait_seconds=wait),
        )

    def finish(self, command: Command, seconds: float = 4000) -> Command:
        """Let the world go on until the command has ended."""
        self.kernel.run(self.kernel.now + seconds, lambda: command.is_over)
        return command

    def settle(self) -> None:
        """Let everything that runs end, and the lease expire; timers stand still meanwhile."""
        for _ in range(100):
            busy = [command for command in self.commands if not command.is_over]
            if not busy and not any(host.processes or not host.is_up for host in self.hosts.values()):
                break
            self.kernel.run(self.kernel.now + 60)
        self.kernel.run(self.kernel.now + 40)


class SimProgress:
    """Writes the story, and says when a phase begins."""

    def __init__(self, world: World, command: Command) -> None:
        self._world, self._command = world, command

    @contextmanager
    def phase(self, name: str, text: str = "") -> Generator[None]:
        self._command.phase = name
        self._world.say(f"{self._command.name}: {name} {text}".rstrip())
        self._world.on_phase(self._command, name)
        yield

    def host(self, host: str, text: str) -> None: ...

    def line(self, text: str) -> None:
        self._world.say(f"{self._command.name}: {text}")


class SimConnection:
    """The ssh connection of one command to one host."""

    def __init__(self, host: str, *_: object, **__: object) -> None:
        self.host, self.world = host, World.current
        self._running: list[Event] = []

    def run(
        self, argv: list[str], stdin: bytes = b"", *, timeout: float | None = 60, **_: object
    ) -> Completed:
        """Deliver the request, and wait for the answer as long as the connection lives."""
        world, host, command = self.world, self.world.hosts[self.host], argv[1]
        world.kernel.sleep(world.random.uniform(0.002, 0.02))
        if not host.is_reachable:
            world.kernel.sleep(CONNECT_SECONDS)
            raise HostDown(self.host, "timed out", "")
        delays = world.deliveries.get(self.host, lambda _: [0.01])(command)
        ended, answers = Event(world.kernel), list[Completed]()

        def answered(completed: Completed) -> None:
            if world.lost_answers.get(self.host):
                world.lost_answers[self.host] -= 1
                world.say(f"{self.host}: the answer is lost")
            elif host.is_reachable:
                answers.append(completed)
            ended.set()

        def deliver() -> None:
            if host.is_up:
                process = host.run_agent(command, stdin, answered)
                process.at_end.append(ended.set)
            else:
                ended.set()

        def deliver_again() -> None:
            """The same request once more; its answer goes nowhere."""
            if host.is_up:
                host.run_agent(command, stdin, lambda _: None)

        for i, delay in enumerate(delays):
            world.kernel.at(delay, deliver_again if i else deliver)
        self._running.append(ended)
        ended.wait(timeout)
        self._running.remove(ended)
        if not ended.is_set():
            raise HostTimeout(self.host, command, timeout or 0)
        world.kernel.sleep(world.random.uniform(0.002, 0.02))
        if not answers:
            raise HostLost(self.host, command)
        return answers[0]

    def abort(self) -> None:
        for ended in self._running:
            ended.set()

    def open(self, patience: float = 0) -> None: ...

    def close(self) -> None: ...


class SimSigning(Signing):
    """Signatures by a hash: a story has thousands."""

    def sign(self, content: bytes, namespace: str) -> tuple[str, str]:
        return "operator", f"{namespace} {hashlib.sha256(content).hexdigest()}"

    def trusts_record(self, record: Release) -> bool:
        return (record.signer, record.signature) == self.sign(record.statement("sim"), RELEASE)


class SimStack(LiveStack):
    """The stack as one command opens it."""

    def __init__(self, world: World, command: Command) -> None:
        app = _app(world.plan)
        project: Any = SimpleNamespace(app=app, stack=SimpleNamespace(name="sim", fleet_id="sim", prove=None))
        super().__init__(project)
        self.world, self.command, self.build = world, command, f"b{command.process.pid}"
        hosts = [
            HostOutput(name=name, roles=cast("Any", tuple(role.split("+"))), address="", ssh_host="")
            for name, role in world.plan.roles.items()
        ]
        self._outputs = Outputs(
            stack="sim",
            platform="servers",
            url="https://app.test",
            hosts=hosts,
            builds=BucketOutput(bucket="b"),
            secrets=SecretStore(kind="age", location=""),
            ssh_config="/none",
        )
        vars(self).update(
            secrets={},
            redactor=SimpleNamespace(text=str),
            fleet=Fleet(self._outputs),
            bucket=SimBucket(world),
            signing=SimSigning(cast("Any", SimpleNamespace(fleet_id="sim"))),
            write_boot_documents=None,
            config_version="c",
        )

    def env(self, scope: str, app: Any = None) -> dict[str, str]:
        del scope, app
        return {}

    def manifest(self, build: str) -> Any:
        return Manifest(build, self.world.plan)

    def lease(self, wait_seconds: float = 0, *, yields: bool = False, preempts: bool = False) -> Lease:
        name = self.command.name
        held = Lease.acquire(
            self.bucket,
            "sim",
            name,
            command=name,
            wait_seconds=wait_seconds,
            yields=yields,
            preempts=preempts,
        )
        self.command.fence = held.fence
        return held


class Manifest:
    """The manifest of a build."""

    schema_head: str | None = None
    migrations_digest = ""
    migrations: tuple[Any, ...] = ()
    migrate = None
    git = SimpleNamespace(sha="", dirty=False)

    def __init__(self, build: str, plan: Plan) -> None:
        self.id, self._plan = build, plan

    def as_declared(self, today: Any) -> Any:
        return today

    def model_dump(self, **_: object) -> dict[str, Any]:
        worker = {"command": "work", "role": "worker", "overlap": self._plan.overlap, "boot_seconds": 5}
        processes: dict[str, Any] = {"web": {"command": "serve", "boot_seconds": 5}, "worker": worker}
        if self._plan.mailer:
            processes["mailer"] = {**worker, "role": "web"}
        return {"id": self.id, "layers": [], "processes": processes, "cron": {}, "migrate": {}}


def _app(plan: Plan) -> Any:
    roles = {"web": "web", "worker": "worker"} | ({"mailer": "web"} if plan.mailer else {})
    step = SimpleNamespace(model_dump=lambda **_: {"path": "/"})  # pyright: ignore[reportUnknownLambdaType]
    return SimpleNamespace(
        processes=roles,
        role_of=roles.get,
        on_role=lambda *own: [name for name, its in roles.items() if its in own],  # pyright: ignore
        env={},
        retire=SimpleNamespace(hold_seconds=plan.hold_seconds, keep_builds=2),
        smoke=SimpleNamespace(steps=[step], timeout_seconds=5),
        websocket=None,
        web=SimpleNamespace(health="/health"),
        migrate=None,
        observe=SimpleNamespace(window_seconds=plan.window_seconds),
    )
