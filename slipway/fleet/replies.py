"""The host agent's answers, typed. Keys that this version does not know are ignored."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

SlotName = Literal["blue", "green"]
SlotState = Literal["empty", "staged", "booted", "live", "warm", "draining", "failed"]


class Reply(BaseModel):
    """An answer, or part of one."""

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)


class Unit(Reply):
    """One instance of a process, as systemd sees it."""

    unit: str
    active: str = ""
    pid: int | None = None
    memory: int | None = None
    """Bytes."""
    restarts: int = 0


class Slot(Reply):
    """One of the two slots. Times are seconds since 1970."""

    state: SlotState = "empty"
    release: int | None = None
    build: str | None = None
    config: str | None = None
    since: float | None = None
    retire_at: float | None = None
    ready_path: str | None = None
    processes: dict[str, list[Unit]] = Field(default_factory=dict[str, list[Unit]])
    error: dict[str, object] | None = None
    """Why a boot or handover in this slot failed: `code`, `message`, `log`."""


class Disk(Reply):
    """Bytes on the file system that holds the builds."""

    path: str = "/"
    free: int = 0
    total: int = 0


class HaProxy(Reply):
    """The web host's proxy at run time."""

    active: SlotName | None = None
    sessions: dict[str, int] = Field(default_factory=dict[str, int])
    """Open connections by slot."""
    up: dict[str, int] = Field(default_factory=dict[str, int])
    """Instances that pass their health check, by slot."""
    error: str | None = None


class Killed(Reply):
    """A process that did not end on its stop signal: it was killed when its drain time was over."""

    release: int | None = None
    instances: int = 1
    signal: str = ""
    seconds: float = 0
    at: float = 0
    fence: int = 0
    """Which command had it stopped, or the last one before a timer did."""


class CronRun(Reply):
    """The last run of a cron entry. Times are seconds since 1970."""

    release: int | None = None
    begun: float = 0
    ended: float | None = None
    failure: str = ""


class Status(Reply):
    """`status`: what the host runs."""

    protocol: int = 1
    version: str = ""
    host: str = ""
    role: str = ""
    stack: str = ""
    fence: int = 0
    step: int = 0
    active: SlotName | None = None
    idle: SlotName | None = None
    slots: dict[str, Slot] = Field(default_factory=dict[str, Slot])
    handover: dict[str, object] | None = None
    cron: dict[str, CronRun | None] = Field(default_factory=dict[str, CronRun | None])
    """Entries that the host owns; None: it has not run yet."""
    killed: dict[str, Killed] = Field(default_factory=dict[str, Killed])
    """By process."""
    arch: str = ""
    """Empty: an agent of before builds were compared with it."""
    disk: Disk = Disk()
    setup_digest: str | None = None
    haproxy: HaProxy | None = None
    agent_ms: float = 0

    @property
    def live(self) -> Slot | None:
        return self.slots.get(self.active) if self.active else None

    def holding(self, release: int) -> Slot | None:
        """The slot that holds `release`."""
        return next((slot for slot in self.slots.values() if slot.release == release), None)


class Staged(Reply):
    """`stage`: the release is in the idle slot."""

    slot: SlotName
    downloaded: list[str] = Field(default_factory=list[str])
    """Digests of the layers that were fetched."""
    reused: list[str] = Field(default_factory=list[str])
    bytes: int = 0
    seconds: float = 0
    drained_seconds: float = 0
    altered: list[str] = Field(default_factory=list[str])
    """Files of the kept build that had been changed on the host; they were replaced."""


class Booted(Reply):
    """`boot`: every instance in the idle slot is ready."""

    slot: SlotName | None = None
    seconds: float = 0
    started: list[str] = Field(default_factory=list[str])


class SmokeStep(Reply):
    """One step that passed."""

    name: str
    status: int = 0
    ms: float = 0


class Smoked(Reply):
    """`smoke`: every step passed."""

    steps: list[SmokeStep] = Field(default_factory=list[SmokeStep])
    seconds: float = 0


class Switched(Reply):
    """`switch`: the host serves the release."""

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True, defer_build=True)

    slot: SlotName | None = None
    from_release: int | None = Field(default=None, alias="from")
    to: int | None = None
    switched_ms: float = 0
    handover: dict[str, object] | None = None
    not_ready: str | None = None
    """On the way back: why the workers are not ready. They are started again until they are."""
    agent_ms: float = 0


class Stopped(Reply):
    """`stop`: the slot that held the release is empty now; None: no slot held it."""

    slot: SlotName | None = None
    drained_seconds: float = 0


class Retired(Reply):
    """`retire`: the slots that were drained."""

    slots: list[str] = Field(default_factory=list[str])
    drained_seconds: float = 0


class Ran(Reply):
    """`run`: a one-off command ended. `tail` is the last lines of its output."""

    exit: int
    seconds: float = 0
    tail: list[str] = Field(default_factory=list[str])


class Pruned(Reply):
    """`prune`: what was removed."""

    builds: list[str] = Field(default_factory=list[str])
    layers: list[str] = Field(default_factory=list[str])
    bytes: int = 0
    killed: dict[str, Killed] = Field(default_factory=dict[str, Killed])


class Restored(Reply):
    """`restore`: what serves after a boot."""

    active: SlotName | None = None
    release: int | None = None
    started: list[str] = Field(default_factory=list[str])


class Probe(Reply):
    """One request made by the agent; status 0: no answer, `error` gives the reason."""

    status: int = 0
    ms: float = 0
    error: str | None = None


class Probed(Reply):
    """`probe`: the requests one by one."""

    answers: list[Probe] = Field(default_factory=list[Probe])


class Traffic(Reply):
    """The traffic of one slot, as in docs/agent.md. Percentiles are 0 if nothing was counted."""

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True, defer_build=True)

    count: int = 0
    errors: int = 0
    probes: int = 0
    """How many of `count` are answers to the agent's own probes; `probe_errors` of `errors`."""
    probe_errors: int = 0
    slow: int = 0
    """Requests that had waited `hung_seconds` or longer when they ended."""
    waiting: int = 0
    """Requests that have waited so long and still do."""
    p50_ms: float = 0
    p95_ms: float = 0


class Observed(Reply):
    """`observe`: the traffic of each slot, and which slot is live."""

    slots: dict[str, Traffic] = Field(default_factory=dict[str, Traffic])
    active: SlotName | None = None

    @property
    def new(self) -> Traffic:
        """The traffic of the live slot."""
        return self.slots.get(self.active or "blue", Traffic())

    @property
    def old(self) -> Traffic:
        """The traffic of the other slot."""
        return self.slots.get("green" if self.active == "blue" else "blue", Traffic())


class Stats(Reply):
    """`stats`: HAProxy's counters by slot, named as in docs/agent.md."""

    slots: dict[str, dict[str, int]] = Field(default_factory=dict[str, dict[str, int]])


class Certificate(Reply):
    """How an edge gets the site's certificate by ACME. Times are seconds since 1970."""

    names: list[str]
    serve: bool
    """False for a rehearsal."""
    ends: float | None = None
    """None: none was issued yet."""
    renews: float | None = None
    at: float | None = None
    """When the last attempt was."""
    problem: str = ""
    """Why it failed."""
    next: float | None = None
    """When the authority may be asked again."""
