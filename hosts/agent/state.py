"""The agent's memory of this host, state.json: what each slot holds, which one serves, and the newest fence.

The file is replaced atomically and changed by one agent at a time (`Exclusive`).
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import time

from . import durable
from .errors import AgentError
from .host import Paths
from .json_object import JsonObject, one_line

SLOTS = ("blue", "green")
FIRST_PORT = {"blue": 21000, "green": 22000}
"""Instance i (from 1) of the web process listens on FIRST_PORT + i."""


PLAIN_PATH = r"/[A-Za-z0-9._~!$&()*+,=:@/?%-]*"
"""A path that stays one word in HAProxy's configuration, in its map and on its command line."""
FORMS = {
    "directory": (r"[\w.@+~,=-][\w.@+~,=/ -]*", "a relative folder"),
    "ready": (PLAIN_PATH, "a path"),
    "health": (PLAIN_PATH, "a path"),
    "role": (r"web|worker", "web or worker"),
    "stop_signal": (r"SIG(TERM|INT|QUIT|USR1|USR2)", "a signal"),
    "memory_max": (r"[1-9][0-9]{0,6}[MG]", "a number of megabytes or gigabytes"),
}
"""Forms of a process' texts (slipway/settings/app.py), and their names in an error."""


def order_of(request: JsonObject) -> Order:
    """The order that a request carries."""
    return request.whole("fence"), request.whole("step", 0)


def other(slot: str) -> str:
    """The other slot's name."""
    return "green" if slot == "blue" else "blue"


class Process:
    """One entry of the manifest's `processes`, with the defaults of slipway.toml."""

    def __init__(self, name: str, fields: JsonObject) -> None:
        self.name = name
        self.command = fields.text("command")
        self.directory = fields.line("directory", ".")
        self.instances = fields.whole("instances", 1)
        self.role = fields.line("role", "web" if name == "web" else "worker")
        self.health = fields.line("health", "/health")
        self.ready = fields.line("ready", "/ready")
        self.boot_seconds = fields.whole("boot_seconds", 30)
        self.stop_signal = fields.line("stop_signal", "SIGTERM")
        self.drain_seconds = fields.whole("drain_seconds", 10)
        self.overlap = fields.flag("overlap")
        self.memory_max = fields.line("memory_max", "512M")

    def check(self) -> None:
        """Raises `bad_request` for what slipway.toml could not say: a manifest comes from a bucket."""
        one_line(re.sub(r"[\n\t]", " ", self.command), f"processes.{self.name}.command")
        for key, (form, wanted) in FORMS.items():
            value = str(getattr(self, key))
            if not re.fullmatch(form, value):
                raise AgentError(
                    "bad_request", f"processes.{self.name}.{key}: must be {wanted}, got {value!r}"
                )
        for key, most in (("instances", 16), ("boot_seconds", 600), ("drain_seconds", 3600)):
            if not 1 <= getattr(self, key) <= most:
                raise AgentError("bad_request", f"processes.{self.name}.{key}: must be 1 to {most}")

    def to_json(self) -> dict[str, object]:
        """The entry as it was read."""
        return {key: value for key, value in vars(self).items() if key != "name"}

    def units(self, slot: str) -> list[str]:
        """Its unit names in `slot`, by instance."""
        return [f"slipway-{self.name}@{slot}-{i}.service" for i in range(1, self.instances + 1)]

    def ports(self, slot: str) -> list[int]:
        """The ports of its instances; only the web process has any."""
        return [FIRST_PORT[slot] + i for i in range(1, self.instances + 1)] if self.name == "web" else []


class Slot:
    """The record of one slot in state.json. Times are seconds since the epoch.

    state: empty → staged (files and units are there) → booted (ready, or on workers: verified) → live →
    warm (can be switched back to until retire_at) → draining → empty; failed: the boot failed.
    """

    def __init__(self, name: str, fields: JsonObject | None = None) -> None:
        fields = fields or JsonObject({}, f"state.slots.{name}")
        self.name = name
        self.state = fields.text("state", "empty")
        self.release = fields.whole("release", 0)
        self.build = fields.text("build", "")
        self.config = fields.text("config", "")
        self.site = fields.text("site", "localhost")
        self.since = fields.number("since", 0)
        self.staged = fields.number("staged", 0)
        """When the slot was given its release; 0: an older agent did."""
        self.retire_at: float | None = fields.number("retire_at") if fields.has("retire_at") else None
        self.processes = {key: Process(key, value) for key, value in fields.table("processes").items()}
        self.cron = {key: dict(value.raw) for key, value in fields.table("cron").items()}
        self.migrate = dict(fields.section("migrate").raw)
        self.image = dict(fields.section("image").raw)
        """What the manifest says of the container image that the build is; empty for other builds."""
        self.secret_names = fields.texts("secret_names")
        self.ticket = dict(fields.section("ticket").raw)
        """What lets the release run here: hosts/agent/signature.py. Empty: an older agent staged it."""
        self.error = dict(fields.section("error").raw)

    def to_json(self) -> dict[str, object]:
        """As stored in state.json, which never holds a secret's value."""
        content = {key: value for key, value in vars(self).items() if key not in ("name", "processes")}
        content["processes"] = {name: process.to_json() for name, process in self.processes.items()}
        return content

    def become(self, state: str, *, retire_at: float | None = None) -> None:
        """Enter `state` now."""
        self.state = state
        self.since = time.time()
        self.retire_at = retire_at
        if state != "failed":
            self.error = {}

    @property
    def web(self) -> Process | None:
        """The process that takes traffic, if this host runs it."""
        return self.processes.get("web")

    @property
    def workers(self) -> list[Process]:
        """The processes without traffic, which are handed over at the switch."""
        return [process for name, process in self.processes.items() if name != "web"]

    def units(self) -> list[str]:
        """Every unit of the slot."""
        return [unit for process in self.processes.values() for unit in process.units(self.name)]


SCHEMA = 1
Order = tuple[int, int]
"""Fence and step of a command. The lease hands out growing fences; a command counts its own steps."""
NO_ORDER: Order = (-1, -1)
LOCK_SECONDS = 30.0
"""Seconds a command waits for another one on the same host."""
DRAIN_SECONDS = 3700.0
"""The same if the other one may be waiting for workers to finish their jobs: the longest drain."""


class State:
    """state.json in memory; `save` writes it."""

    def __init__(self, paths: Paths, fields: JsonObject) -> None:
        schema = fields.whole("schema", SCHEMA)
        if schema > SCHEMA:
            raise AgentError(
                "state_too_new",
                f"{paths.state} has schema {schema}, this agent knows {SCHEMA}: run `slipway up`",
            )
        self.paths = paths
        self.order: Order = (fields.whole("fence", 0), fields.whole("step", 0))
        """Fence and step of the newest command that changed this host."""
        self.floor = fields.whole("floor", 0)
        """Fence of the newest release that was accepted for good: older signatures are refused."""
        self.active: str | None = fields.text("active") if fields.has("active") else None
        slots = fields.table("slots")
        self.slots = {name: Slot(name, slots.get(name)) for name in SLOTS}
        self.handover: dict[str, object] | None = (
            dict(fields.section("handover").raw) if fields.has("handover") else None
        )
        self.cron_kinds = fields.texts("cron_kinds")
        """Kinds of cron entries that this host owns: path, command, both or none."""
        self.killed: dict[str, object] = dict(fields.section("killed").raw) if fields.has("killed") else {}
        """By process, what did not end on its stop signal when it was last stopped (stopping.py)."""
        self.unreleased = fields.flag("unreleased")
        """On AWS: nothing was ever released to the stack when this host last looked. Set by `converge`."""
        self.leaving = fields.flag("leaving")
        """On AWS: the Auto Scaling group terminates this host, so no command may start anything."""

    @classmethod
    def load(cls, paths: Paths) -> State:
        """The last saved state; empty on a host that never had a release."""
        content = durable.read(paths.state)
        try:
            return cls(paths, JsonObject.parse(content or b"", "state"))
        except AgentError as error:
            if error.code != "bad_request":
                raise
            raise AgentError("state_broken", f"{paths.state}: {error.message}") from None

    def save(self) -> None:
        """Replace state.json; it survives a power cut once this returns."""
        content = {
            "schema": SCHEMA,
            "fence": self.order[0],
            "step": self.order[1],
            "floor": self.floor,
            "active": self.active,
            "slots": {name: slot.to_json() for name, slot in self.slots.items()},
            "handover": self.handover,
            "cron_kinds": self.cron_kinds,
            "killed": self.killed,
            "unreleased": self.unreleased,
            "leaving": self.leaving,
        }
        os.makedirs(self.paths.lib, mode=0o700, exist_ok=True)
        durable.write(self.paths.state, json.dumps(content, separators=(",", ":")).encode())

    @property
    def idle(self) -> str:
        """The slot for the next release."""
        return other(self.active) if self.active else "blue"

    @property
    def live(self) -> Slot | None:
        """The slot that serves."""
        return self.slots[self.active] if self.active else None

    def make_live(self, slot: Slot, hold: float) -> None:
        """Make `slot` live and the slot before it warm for `hold` seconds; the caller saves."""
        if self.live and self.live is not slot:
            self.live.become("warm", retire_at=time.time() + hold)
        slot.become("live")
        self.active = slot.name

    def holding(self, release: int) -> Slot | None:
        """The slot that holds `release`, if any; the live one first."""
        slots = sorted(self.slots.values(), key=lambda slot: slot.name != self.active)
        return next((slot for slot in slots if slot.state != "empty" and slot.release == release), None)


class Exclusive:
    """`with Exclusive(paths, "switch", order) as state`: no other command changes this host meanwhile.

    An order older than the newest seen is refused (`fenced`) before anything is changed; a newer one is
    stored, and a command of an older order that is still at work is interrupted. The kernel releases the lock
    when the process ends, so a killed agent never leaves it behind.
    """

    def __init__(
        self, paths: Paths, command: str, order: Order | None = None, wait: float = LOCK_SECONDS
    ) -> None:
        self.paths = paths
        self.command = command
        self.order = order
        self.wait = wait
        self._handle = -1
        self._interrupted = 0

    def __enter__(self) -> State:
        os.makedirs(self.paths.lib, mode=0o700, exist_ok=True)
        self._handle = os.open(self.paths.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._take()
            os.ftruncate(self._handle, 0)
            fence, step = self.order or NO_ORDER
            note = f"{os.getpid()} {self.command} {time.time():.0f} {fence} {step}"
            os.pwrite(self._handle, note.encode(), 0)
            return self._fenced(State.load(self.paths))
        except BaseException:
            os.close(self._handle)
            raise

    def __exit__(self, *_: object) -> None:
        os.close(self._handle)

    def _take(self) -> None:
        deadline = time.monotonic() + self.wait
        pause = 0.005
        while True:
            try:
                fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise self._busy() from None
                self._interrupt_outranked()
            time.sleep(pause)
            pause = min(pause * 2, 0.1)

    def _interrupt_outranked(self) -> None:
        """End a command of an older order: what an aborted command left running must not delay its undo."""
        held = Holder(self.paths)
        if self.order and NO_ORDER < held.order < self.order and held.pid != self._interrupted:
            self._interrupted = held.pid  # once: its clean-up is not to be interrupted
            held.interrupt()

    def _busy(self) -> AgentError:
        held = Holder(self.paths)
        return AgentError(
            "busy",
            f"`{held.command}` (pid {held.pid}) has been at work on this host for "
            f"{time.time() - held.since:.0f} s",
            detail={"command": held.command, "pid": held.pid, "since": held.since},
        )

    def _fenced(self, state: State) -> State:
        if self.order is None:
            return state
        if state.leaving:
            raise AgentError("leaving", "this host drains: its Auto Scaling group terminates it")
        refuse_outranked(state, self.order)
        if self.order > state.order:
            state.order = self.order
            state.save()
        return state


def refuse_outranked(state: State, order: Order) -> None:
    """Raises `fenced` if this host has seen a newer order."""
    if order < state.order:
        (fence, step), (newest, newest_step) = order, state.order
        detail: dict[str, object] = {
            "fence": fence,
            "step": step,
            "newest": newest,
            "newest_step": newest_step,
        }
        raise AgentError("fenced", why_outranked(order, state.order), detail=detail)


def why_outranked(order: Order, newest: Order) -> str:
    """Why a host that has seen `newest` refuses `order`."""
    (fence, step), (newer, later) = order, newest
    if fence < newer:
        return f"fence {fence} is older than {newer}: another command has taken the lease since"
    return f"step {step} of command {fence} is older than its step {later}"


class Holder:
    """The agent that last took the lock: process id, command, start, and order (NO_ORDER: none)."""

    def __init__(self, paths: Paths) -> None:
        words = (durable.read(paths.lock) or b"").decode().split()
        if len(words) != 5:
            words = ["0", "unknown", f"{time.time()}", "-1", "-1"]
        self.pid, self.command, self.since = int(words[0]), words[1], float(words[2])
        self.order: Order = (int(words[3]), int(words[4]))

    def interrupt(self) -> None:
        """Send SIGTERM, unless the process has ended or is this one."""
        if self.pid and self.pid != os.getpid():
            _terminate_agent(self.pid)


def interrupt_handover(paths: Paths, order: Order) -> None:
    """Stop a running handover if this order is new enough; the caller then continues it or takes it back.

    Any command may be waiting in it, as long as the workers' drain time, which can be an hour. One of the
    same order is left alone: it is this very request, which came twice.
    """
    state = State.load(paths)
    held = Holder(paths)
    if state.handover and order >= state.order and held.order < order:
        held.interrupt()


def _terminate_agent(pid: int) -> None:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            if b"slipway-agent" in file.read():
                os.kill(pid, signal.SIGTERM)
    except (FileNotFoundError, ProcessLookupError):
        return
