"""What one of the two places on a host holds: a release, its processes and how far it has come."""

from __future__ import annotations

import time

from .fields import Fields

SLOTS = ("blue", "green")
FIRST_PORT = {"blue": 21000, "green": 22000}
"""Instance i (from 1) of the web process listens on FIRST_PORT + i."""


def other(slot: str) -> str:
    """The slot that `slot` is not."""
    return "green" if slot == "blue" else "blue"


class Process:
    """One entry of the manifest's `processes`, with the defaults of slipway.toml."""

    def __init__(self, name: str, fields: Fields) -> None:
        self.name = name
        self.command = fields.text("command")
        self.directory = fields.text("directory", ".")
        self.instances = fields.whole("instances", 1)
        self.role = fields.text("role", "web" if name == "web" else "worker")
        self.health = fields.text("health", "/health")
        self.ready = fields.text("ready", "/ready")
        self.boot_seconds = fields.whole("boot_seconds", 30)
        self.stop_signal = fields.text("stop_signal", "SIGTERM")
        self.drain_seconds = fields.whole("drain_seconds", 10)
        self.overlap = fields.flag("overlap")
        self.memory_max = fields.text("memory_max", "512M")

    def to_json(self) -> dict[str, object]:
        """As it was read."""
        return {key: value for key, value in vars(self).items() if key != "name"}

    def units(self, slot: str) -> list[str]:
        """Its unit names in `slot`, by instance."""
        return [f"slipway-{self.name}@{slot}-{i}.service" for i in range(1, self.instances + 1)]

    def ports(self, slot: str) -> list[int]:
        """The ports its instances listen on; only the web process has any."""
        return [FIRST_PORT[slot] + i for i in range(1, self.instances + 1)] if self.name == "web" else []


class Slot:
    """The record of one slot in state.json. Times are seconds since the epoch.

    state: empty → staged (files and units are there) → booted (ready, or on workers: verified) → live →
    warm (may be switched back to until retire_at) → draining → empty; failed: booted in vain.
    """

    def __init__(self, name: str, fields: Fields | None = None) -> None:
        fields = fields or Fields({}, f"state.slots.{name}")
        self.name = name
        self.state = fields.text("state", "empty")
        self.release = fields.whole("release", 0)
        self.build = fields.text("build", "")
        self.config = fields.text("config", "")
        self.site = fields.text("site", "localhost")
        self.since = fields.number("since", 0)
        self.retire_at: float | None = fields.number("retire_at") if fields.has("retire_at") else None
        self.processes = {key: Process(key, value) for key, value in fields.table("processes").items()}
        self.cron = {key: dict(value.raw) for key, value in fields.table("cron").items()}
        self.migrate = dict(fields.section("migrate").raw)
        self.secret_names = fields.texts("secret_names")
        self.error = dict(fields.section("error").raw)

    def to_json(self) -> dict[str, object]:
        """As kept in state.json; never a secret's value."""
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
        """The processes that take no traffic: handed over at the switch."""
        return [process for name, process in self.processes.items() if name != "web"]

    def units(self) -> list[str]:
        """Every unit of the slot."""
        return [unit for process in self.processes.values() for unit in process.units(self.name)]
