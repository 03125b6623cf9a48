"""The app's own contract with the kit: everything that `slipway.toml` may say.

Every key is here once, with its default; unknown keys are refused. `load.py` turns a violation into
`file:line key: what is wrong, and what would be right`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from slipway.settings.checks import Checks
from slipway.settings.load import Load

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
    """`none`: the build brings its own binary."""
    version: str = ""
    """Exact version, for example "1.4.5"; left out only for `none`."""


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
    """Globs of what the app layer holds. `.git`, ignored files and `deps.paths` are never in it."""
    exclude: list[str] = Field(default_factory=list)
    """Globs of what it leaves out again."""
    deps: Dependencies = Dependencies()
    """What a package manager installs; see below."""
    timeout_seconds: int = Field(default=1800, ge=10, le=7200)
    """For each of the two commands."""


class Process(Section):
    """One kind of process. `web` takes traffic; every other is a worker."""

    command: Command
    """Run by sh; a plain command takes the shell's place, so that the stop signal reaches it."""
    directory: str = "."
    """Working directory inside the context: `apps/api` in a monorepo."""
    instances: int = Field(default=1, ge=1, le=16)
    """How many on each host of its role."""
    role: Literal["web", "worker"] | None = None
    """The hosts it runs on; default: `web` for the process named web, else `worker`."""
    health: HttpPath = "/health"
    """`web` only: the cheap public path that uptime monitors ask for."""
    ready: HttpPath = "/ready"
    """`web` only: the path that answers 200 once the process may take traffic."""
    boot_seconds: int = Field(default=30, ge=1, le=600)
    """From start to ready; later is a failed release."""
    stop_signal: Literal["SIGTERM", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGUSR2"] = "SIGTERM"
    """What asks the process to finish and leave."""
    drain_seconds: int = Field(default=10, ge=1, le=3600)
    """From the stop signal to SIGKILL. Must be at least the app's own shutdown window."""
    overlap: bool = False
    """Workers only: may old and new run at the same time during a release?"""
    memory_max: Annotated[str, StringConstraints(pattern=r"^\d+[MG]$")] = "512M"
    """Of each instance; beyond it the process is ended and started again."""


class Cron(Section):
    """Work on a schedule: a systemd timer on one owner host. Exactly one of `path` and `command`."""

    schedule: str
    """systemd OnCalendar, for example `*:0/5` or `Mon *-*-* 09:00`."""
    path: HttpPath | None = None
    """POSTed to the live release on the owner host with `Authorization: Bearer <value of secret>`."""
    secret: EnvName = "CRON_SECRET"  # noqa: S105 - the name of an entry, not its value
    """The env entry whose value is the bearer."""
    command: Command | None = None
    """Or a one-off command with the live release's env."""
    timeout_seconds: int = Field(default=300, ge=1, le=86400)
    """After it the run is ended and counts as failed."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.path is None) == (self.command is None):
            raise ValueError("give exactly one of path and command")
        return self


class Migrate(Section):
    """How the schema moves. Commands run from the new build with the env of scope `migrate`."""

    command: Command
    """Applies every pending migration; run once, on one host."""
    directory: str = "."
    """Working directory inside the context."""
    files: str = "migrations/*.up.sql"
    """Glob in the context. The ids in the manifest are the file names without `.up.sql`/`.sql`."""
    contract_marker: str = "-- slipway: contract"
    """A migration with this line bars a rollback past it."""
    timeout_seconds: int = Field(default=600, ge=1, le=86400)
    """After it the command is ended and the release fails."""
    lint: Literal["refuse", "warn", "off"] = "warn"
    """What squawk's findings on new migrations do."""


class EnvVar(Section):
    """One variable of the typed env contract. Exactly one of value, secret and from gives it."""

    value: str | None = None
    """A setting in plain text; `Pulumi.<stack>.yaml` may override it (`slipway:env`)."""
    secret: bool = False
    """From the stack's secret store."""
    source: str | None = Field(default=None, alias="from")
    """A stack output by its dotted name: `database.url`, `redis.url`, `uploads.bucket`, `url`, …"""
    optional: bool = False
    """May it be absent? The app then does not get it at all."""
    scope: list[str] = Field(default_factory=list)
    """Processes that get it, or `migrate`, `task`, `cron`, `smoke`. Empty: as said above."""
    kind: Literal["string", "integer", "boolean", "url"] = "string"
    """What the value must be: `boolean` is true, false, 1 or 0."""
    generate: Annotated[str, StringConstraints(pattern=r"^(base64|hex):\d+$")] | None = None
    """`base64:32` or `hex:32`: bytes of randomness `slipway secrets generate` makes."""
    min_length: int = Field(default=0, ge=0)
    """In characters."""
    pattern: str | None = None
    """A regular expression that the whole value must match."""
    stack_pattern: dict[str, str] = Field(default_factory=dict)
    """The same by stack: `{ prod = "sk_live_.*" }`; `*` for every other stack."""
    client: bool = False
    """Reaches browsers (a client prefix such as NEXT_PUBLIC_). Never together with secret."""
    describe: str = ""
    """What it is for; stands in `.env.example`."""

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
    """Largest request body; more is answered with 413."""
    connections_per_ip: int = Field(default=200, ge=1)
    """At the same time, sockets included; more is answered with 429."""
    requests_per_minute: int = Field(default=600, ge=1)
    """Per client address, over all paths; more is answered with 429."""
    idle_seconds: int = Field(default=60, ge=5)
    """HTTP keep-alive and request time-outs; tunnels have their own."""


class WebSocket(Section):
    """How the app speaks WebSocket; absent for apps without."""

    path: HttpPath = "/ws"
    """Where the app upgrades connections."""
    payload_bytes: int = Field(default=1_048_576, ge=125)
    """Largest message the app takes."""
    idle_seconds: int = Field(default=300, ge=5)
    """After which the app closes a silent socket."""
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
    """What a failure is called by."""
    request: Annotated[str, StringConstraints(pattern=r"^(GET|POST|PUT|PATCH|DELETE|HEAD) /\S*$")]
    """Method and path: `POST /api/tasks`."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Sent with it."""
    body: dict[str, object] | list[object] | str | None = Field(default=None, alias="json")
    """Sent as its JSON body."""
    status: int = 200
    """The one right answer."""
    contains: str | None = None
    """Text that the answer must hold."""
    capture: dict[str, str] = Field(default_factory=dict)
    """Name → dotted path in the JSON answer: `{ token = "accessToken" }`."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Smoke(Section):
    """Steps against the candidate: sign in, one read, one write (S2)."""

    steps: list[Step] = Field(default_factory=list)
    """In this order, on every web host."""
    timeout_seconds: int = Field(default=10, ge=1, le=300)
    """For each step."""


class Observe(Section):
    """When the first minutes of a release count as a failure."""

    window_seconds: float = Field(default=10, ge=0, le=3600)
    """How long new is watched against old after the switch; 0: not at all."""
    error_ratio: float = Field(default=0.01, ge=0, le=1)
    """Highest share of 5xx answers."""
    p95_ms: float = Field(default=500, gt=0)
    """Highest p95 of the new release."""
    p95_ratio: float = Field(default=3.0, ge=1)
    """Highest p95 of new over old; only counts when new is also above p95_floor_ms."""
    p95_floor_ms: float = Field(default=100, ge=0)
    """Below it a slower release is still fast enough."""
    min_samples: int = Field(default=20, ge=1)
    """Answers without which there is no verdict; no data is a failure."""
    probe: HttpPath | None = None
    """Path that synthetic probes ask for while there is too little traffic; default: the health path."""


class Preflight(Section):
    """The app's own checks before it ships (P1); run in a clean copy of the context, in order."""

    commands: list[Command] = Field(default_factory=list)
    """Lint, format, type check, tests; the first that fails ends the release."""
    timeout_seconds: int = Field(default=900, ge=1)
    """For each command."""


class Retire(Section):
    """How long the old slot stays warm, so that a rollback is a switch."""

    hold_seconds: int = Field(default=3600, ge=0, le=604_800)
    """From the switch; at least observe.window_seconds."""
    keep_builds: int = Field(default=3, ge=2, le=50)
    """On each host, for cold rollbacks."""


class App(Section):
    """The whole of `slipway.toml`."""

    name: Name
    """Of the app."""
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
    """Env names that begin so reach browsers: never secret, and declared with client = true."""
    limits: Limits = Limits()
    private_paths: list[HttpPath] = Field(default_factory=lambda: ["/ready", "/metrics"])
    """Answered with 404 at the edge: for hosts and scrapers, not for the public."""
    websocket: WebSocket | None = None
    smoke: Smoke = Smoke()
    observe: Observe = Observe()
    load: Load = Load()
    checks: Checks = Checks()
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
