"""The app's own contract with the kit: everything that `slipway.toml` may say.

Every key is here once, with its default; unknown keys are refused. `load.py` turns a violation into
`file:line key: what is wrong, and what would be right`.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,30}$")]
EnvName = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]*$")]
HttpPath = Annotated[str, StringConstraints(pattern=r"^/[^\s]*$")]
Command = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]


class Section(BaseModel):
    """A table of slipway.toml: frozen, and closed to unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Runtime(Section):
    """What runs the app. The runtime is shipped as a layer of its own, so hosts need none installed."""

    name: Literal["bun", "node", "python", "none"]
    version: str = ""
    """Exact version, for example "1.4.5"; empty only for `none` (the build brings its own binary)."""


class Dependencies(Section):
    """What a package manager installs: cached by the digest of `inputs`, shipped as the `deps` layer."""

    inputs: list[str] = Field(default_factory=list)
    """Globs in the context whose content decides the layer: lock files and package manifests."""
    command: Command | None = None
    """For example `bun install --frozen-lockfile --production`. None: the app has no deps layer."""
    paths: list[str] = Field(default_factory=list)
    """What the command makes, relative to the context: `node_modules`, `.venv`, …; globs allowed."""


class Build(Section):
    """How source becomes a build. `context` is the folder that is copied, relative to slipway.toml."""

    context: str = "."
    """A monorepo's root may lie above: `../..`."""
    command: Command | None = None
    """Run in a clean copy of the context (with development dependencies, if it installs them)."""
    include: list[str] = Field(default_factory=lambda: ["**"])
    exclude: list[str] = Field(default_factory=list)
    """Globs of what the app layer holds. `.git`, ignored files and `deps.paths` are never in it."""
    deps: Dependencies = Dependencies()
    timeout_seconds: int = Field(default=1800, ge=10, le=7200)


class Process(Section):
    """One kind of process. `web` takes traffic; every other is a worker."""

    command: Command
    directory: str = "."
    """Working directory inside the context: `apps/api` in a monorepo."""
    instances: int = Field(default=1, ge=1, le=16)
    """How many on each host of its role."""
    role: Literal["web", "worker"] | None = None
    """The hosts it runs on; default: `web` for the process named web, else `worker`."""
    health: HttpPath = "/health"
    ready: HttpPath = "/ready"
    """`web` only: the path that answers 200 once the process may take traffic."""
    boot_seconds: int = Field(default=30, ge=1, le=600)
    stop_signal: Literal["SIGTERM", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGUSR2"] = "SIGTERM"
    drain_seconds: int = Field(default=10, ge=1, le=3600)
    """From the stop signal to SIGKILL. Must be at least the app's own shutdown window."""
    overlap: bool = False
    """Workers only: may old and new run at the same time during a release?"""
    memory_max: Annotated[str, StringConstraints(pattern=r"^\d+[MG]$")] = "512M"


class Cron(Section):
    """Work on a schedule: a systemd timer on one owner host. Exactly one of `path` and `command`."""

    schedule: str
    """systemd OnCalendar, for example `*:0/5` or `Mon *-*-* 09:00`."""
    path: HttpPath | None = None
    """POSTed to the live release on the owner host with `Authorization: Bearer <value of secret>`."""
    secret: EnvName = "CRON_SECRET"  # noqa: S105 - the name of an entry, not its value
    command: Command | None = None
    """Or a one-off command with the live release's env."""
    timeout_seconds: int = Field(default=300, ge=1, le=86400)

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.path is None) == (self.command is None):
            raise ValueError("give exactly one of path and command")
        return self


class Migrate(Section):
    """How the schema moves. Commands run from the new build with the env of scope `migrate`."""

    command: Command
    directory: str = "."
    files: str = "migrations/*.up.sql"
    """Glob in the context. The ids in the manifest are the file names without `.up.sql`/`.sql`."""
    contract_marker: str = "-- slipway: contract"
    """A migration with this line bars a rollback past it."""
    timeout_seconds: int = Field(default=600, ge=1, le=86400)
    lint: Literal["refuse", "warn", "off"] = "warn"
    """What squawk's findings on new migrations do."""


class EnvVar(Section):
    """One variable of the typed env contract. Exactly one of value, secret, from and slot gives it."""

    value: str | None = None
    """A setting in plain text; `Pulumi.<stack>.yaml` may override it (`slipway:env`)."""
    secret: bool = False
    """From the stack's secret store."""
    source: str | None = Field(default=None, alias="from")
    """A stack output by its dotted name: `database.url`, `redis.url`, `uploads.bucket`, `url`, …"""
    optional: bool = False
    scope: list[str] = Field(default_factory=list)
    """Processes that get it, or `migrate`, `task`, `cron`, `smoke`. Empty: all but `migrate`-only ones."""
    kind: Literal["string", "integer", "boolean", "url"] = "string"
    generate: Annotated[str, StringConstraints(pattern=r"^(base64|hex):\d+$")] | None = None
    """`base64:32` or `hex:32`: bytes of randomness `slipway secrets generate` makes."""
    min_length: int = Field(default=0, ge=0)
    pattern: str | None = None
    """A regular expression that the whole value must match."""
    stack_pattern: dict[str, str] = Field(default_factory=dict)
    """The same by stack: `{ prod = "sk_live_.*" }`; `*` for every other stack."""
    client: bool = False
    """Reaches browsers (a client prefix such as NEXT_PUBLIC_). Never together with secret."""
    describe: str = ""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        given = [self.value is not None, self.secret, self.source is not None]
        if sum(given) > 1 or (sum(given) == 0 and not self.optional):
            raise ValueError("give exactly one of value, secret = true and from")
        if self.secret and self.client:
            raise ValueError("a secret must not be client = true: browsers would see it")
        return self


class Limits(Section):
    """What the edge enforces for this app."""

    body_bytes: int = Field(default=1_048_576, ge=1024)
    connections_per_ip: int = Field(default=200, ge=1)
    requests_per_minute: int = Field(default=600, ge=1)
    """Per client address, over all paths."""
    idle_seconds: int = Field(default=60, ge=5)
    """HTTP keep-alive and request time-outs; tunnels have their own."""


class WebSocket(Section):
    """How the app speaks WebSocket; absent for apps without."""

    path: HttpPath = "/ws"
    payload_bytes: int = Field(default=1_048_576, ge=125)
    idle_seconds: int = Field(default=300, ge=5)
    open: list[str] = Field(default_factory=list)
    """Messages sent first by `slipway meter` and smoke; `${token}` and other captures are filled in."""
    echo: str = ""
    """The message the meter sends again and again; `${n}` is a growing number that the answer repeats."""
    notice: str = "SERVER_SHUTDOWN"
    """Text that a message contains by which the server tells a client to reconnect elsewhere."""
    close_codes: list[int] = Field(default_factory=lambda: [1000, 1001, 1012])
    """Close codes that are an orderly goodbye."""


class Step(Section):
    """One HTTP request of a smoke test. `${NAME}` is filled from env values and earlier captures."""

    name: str
    request: Annotated[str, StringConstraints(pattern=r"^(GET|POST|PUT|PATCH|DELETE|HEAD) /\S*$")]
    headers: dict[str, str] = Field(default_factory=dict)
    body: dict[str, object] | list[object] | str | None = Field(default=None, alias="json")
    status: int = 200
    contains: str | None = None
    capture: dict[str, str] = Field(default_factory=dict)
    """Name → dotted path in the JSON answer: `{ token = "accessToken" }`."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Smoke(Section):
    """Steps against the candidate: sign in, one read, one write (S2)."""

    steps: list[Step] = Field(default_factory=list)
    timeout_seconds: int = Field(default=10, ge=1, le=300)


class Observe(Section):
    """When the first minutes of a release count as a failure."""

    window_seconds: float = Field(default=10, ge=0, le=3600)
    error_ratio: float = Field(default=0.01, ge=0, le=1)
    """Highest share of 5xx answers."""
    p95_ms: float = Field(default=500, gt=0)
    p95_ratio: float = Field(default=3.0, ge=1)
    """Highest p95 of new over old; only counts when new is also above p95_floor_ms."""
    p95_floor_ms: float = Field(default=100, ge=0)
    min_samples: int = Field(default=20, ge=1)
    probe: HttpPath | None = None
    """Path that synthetic probes ask for while there is too little traffic; default: the health path."""


class Load(Section):
    """What `slipway meter` (and later load profiles) ask for."""

    paths: list[HttpPath] = Field(default_factory=lambda: ["/health"])
    p95_ms: float = Field(default=500, gt=0)
    error_ratio: float = Field(default=0.01, ge=0, le=1)


class Preflight(Section):
    """The app's own checks before it ships (P1); run in a clean copy of the context, in order."""

    commands: list[Command] = Field(default_factory=list)
    timeout_seconds: int = Field(default=900, ge=1)


class Retire(Section):
    """How long the old slot stays warm, so that a rollback is a switch."""

    hold_seconds: int = Field(default=3600, ge=0, le=604_800)
    keep_builds: int = Field(default=3, ge=2, le=50)


class App(Section):
    """The whole of `slipway.toml`."""

    name: Name
    runtime: Runtime
    build: Build = Build()
    preflight: Preflight = Preflight()
    processes: dict[Name, Process]
    cron: dict[Name, Cron] = Field(default_factory=dict)
    migrate: Migrate | None = None
    env: dict[EnvName, EnvVar] = Field(default_factory=dict)
    client_prefixes: list[str] = Field(
        default_factory=lambda: ["NEXT_PUBLIC_", "VITE_", "PUBLIC_CLIENT_", "REACT_APP_"]
    )
    limits: Limits = Limits()
    private_paths: list[HttpPath] = Field(default_factory=lambda: ["/ready", "/metrics"])
    """Answered with 404 at the edge: for hosts and scrapers, not for the public."""
    websocket: WebSocket | None = None
    smoke: Smoke = Smoke()
    observe: Observe = Observe()
    load: Load = Load()
    retire: Retire = Retire()

    @field_validator("processes")
    @classmethod
    def _has_processes(cls, processes: dict[str, Process]) -> dict[str, Process]:
        if not processes:
            raise ValueError("name at least one process, for example [processes.web]")
        return processes

    @property
    def web(self) -> Process | None:
        """The process that takes traffic, if the app has one."""
        return self.processes.get("web")

    def role_of(self, process: str) -> Literal["web", "worker"]:
        """The role whose hosts run `process`."""
        return self.processes[process].role or ("web" if process == "web" else "worker")

    def on_role(self, role: str) -> dict[str, Process]:
        """The processes that run on hosts of `role`."""
        return {name: process for name, process in self.processes.items() if self.role_of(name) == role}

    @property
    def hold(self) -> timedelta:
        """How long a retired slot stays warm."""
        return timedelta(seconds=self.retire.hold_seconds)


def app_root(toml: Path, app: App) -> Path:
    """The context folder of an app whose slipway.toml is at `toml`."""
    return (toml.parent / app.build.context).resolve()
