"""The app's own contract with the kit: everything that `slipway.toml` may say.

Every key is here once, with its default; unknown keys are refused. `app_file.py` turns a violation into
`file:line key: what is wrong, and what would be right`. The text below each key is its text in the manual.
"""

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from slipway.settings.checks import Checks
from slipway.settings.load import Load
from slipway.settings.schema import (
    Calendar,
    Command,
    EnvName,
    Folder,
    HttpPath,
    Lines,
    Memory,
    Name,
    PlainPath,
    Request,
    Setting,
)


class Runtime(Setting):
    """What runs the app. The runtime is a layer of the build, so hosts need none installed."""

    name: Literal["bun", "debian", "deno", "image", "node", "python", "none"]
    """`debian`: the packages of `apt`, for example Ruby or PHP. `none`: the build contains its own binary.
    `image`: a container image, whose file system is the build; hosts run it without a container engine."""
    version: str = ""
    """Exact version, for example "1.4.5"; omitted for `debian`, `image` and `none`."""
    dockerfile: Folder | None = None
    """`image` only: the Dockerfile in the context, which docker or buildah builds where slipway runs.
    Default: `Dockerfile`, if neither `archive` nor `reference` is given."""
    archive: Folder | None = None
    """`image` only: in place of a Dockerfile, an archive in the context, as `docker save` or
    `buildah push IMAGE oci-archive:FILE` writes it; git may ignore it."""
    reference: (
        Annotated[str, StringConstraints(pattern=r"^[a-z0-9][\w.:/-]*@sha256:[0-9a-f]{64}$")] | None
    ) = None
    """`image` only: in place of a Dockerfile, an image of a registry by its digest:
    `ghcr.io/me/app@sha256:…`."""
    apt: list[Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9+.-]+(=[A-Za-z0-9.+~:-]+)?$")]] = (
        Field(default_factory=list[str])
    )
    """Debian packages for the runtime layer, with what they depend on: `["ruby", "ruby-bundler"]`,
    `["ffmpeg"]`; `ruby=1:3.1` pins a version. They come from the sources of the machine that builds."""


_KEEP_ALIVE = {"node": 5, "bun": 10, "python": 5}
_SHORTEST_KEEP_ALIVE = 2


class Dependencies(Setting):
    """What a package manager installs: cached by the digest of `inputs`, shipped as the `deps` layer."""

    inputs: list[str] = Field(default_factory=list)
    """Globs in the context: the lock files and package manifests that decide what the command installs."""
    command: Command | None = None
    """For example `bun install --frozen-lockfile --production`. None: the app has no deps layer."""
    paths: list[str] = Field(default_factory=list)
    """What the command creates, relative to the context: `node_modules`, `.venv`, …; globs allowed."""


class Build(Setting):
    """How source becomes a build. `context` is the folder that is copied, relative to slipway.toml."""

    context: str = "."
    """May lie above slipway.toml, for example a monorepo's root: `../..`."""
    command: Command | None = None
    """Runs in a clean copy of the context (with development dependencies, if the command installs them)."""
    include: list[str] = Field(default_factory=lambda: ["**"])
    """Globs of files in the app layer. `.git`, ignored files and `deps.paths` are never in it."""
    exclude: list[str] = Field(default_factory=list)
    """Globs of files that the app layer leaves out although `include` matches them."""
    deps: Dependencies = Dependencies()
    """See below."""
    timeout_seconds: int = Field(default=1800, ge=10, le=7200)
    """Time limit of each of the two commands."""


class Process(Setting):
    """One kind of process. `web` serves requests; every other process is a worker."""

    command: Command | None = None
    """Run by sh. A single command replaces the shell, so that it receives the stop signal. With runtime
    `image`: a program in the image and its arguments, without a shell; `web` may omit it, and then the
    image's ENTRYPOINT and CMD are run."""
    directory: Folder = "."
    """Working directory inside the context: `apps/api` in a monorepo. With runtime `image`: inside the image;
    default: its WORKDIR."""
    instances: int = Field(default=1, ge=1, le=16)
    """Number of instances on each host of its role."""
    role: Literal["web", "worker"] | None = None
    """The hosts it runs on; default: `web` for the process named web, else `worker`."""
    health: PlainPath = "/health"
    """`web` only: a cheap public path for uptime monitors."""
    ready: PlainPath = "/ready"
    """`web` only: a path that answers 200 once the process can serve requests."""
    keep_alive_seconds: int | None = Field(default=None, ge=0, le=3600)
    """`web` only: how long the app itself keeps an idle connection; hosts look for unused ones eight times in
    it. 0: every request gets a new connection. Default: 5 with node, 10 with bun, 5 with python, else 2."""
    boot_seconds: int = Field(default=30, ge=1, le=600)
    """Time limit from start to ready; exceeding it fails the release."""
    stop_signal: Literal["SIGTERM", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGUSR2"] = "SIGTERM"
    """Signal on which the process finishes its work and exits. With runtime `image`: its STOPSIGNAL."""
    drain_seconds: int = Field(default=10, ge=1, le=3600)
    """Time from the stop signal to SIGKILL. Must be at least the app's own shutdown window."""
    overlap: bool = False
    """Workers only: old and new instances may run at the same time during a release."""
    memory_max: Memory = "512M"
    """Memory limit of each instance; a process that exceeds it is killed and restarted."""


class Cron(Setting):
    """Work on a schedule: a systemd timer on one owner host. Exactly one of `path` and `command`."""

    schedule: Calendar
    """systemd OnCalendar, for example `*:0/5` or `Mon *-*-* 09:00`."""
    path: HttpPath | None = None
    """The owner host sends a POST to the live release, with `Authorization: Bearer <value of secret>`."""
    secret: EnvName = "CRON_SECRET"  # noqa: S105 - the name of an entry, not its value
    """The env entry whose value is the bearer."""
    header: Annotated[str, StringConstraints(pattern=r"^([A-Za-z][A-Za-z0-9-]*)?$")] = ""
    """For an app that wants another header, for example `X-Cron-Secret`; its value is the secret alone."""
    command: Command | None = None
    """A one-off command with the live release's env, instead of a path."""
    timeout_seconds: int = Field(default=300, ge=1, le=86400)
    """Time limit of a run; a run that exceeds it is ended and counts as failed."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.path is None) == (self.command is None):
            raise ValueError("give exactly one of path and command")
        return self


class Migrate(Setting):
    """How the schema is migrated. The command runs from the new build with the env of scope `migrate`.

    A release skips it only if nothing in the folder of `files` has changed; where no file matches, never.
    """

    command: Command
    """Run by sh, once, on one host: applies every pending migration."""
    directory: Folder = "."
    """Working directory inside the context."""
    files: str = "migrations/*.up.sql"
    """Glob in the context (with runtime `image`: also in the image's WORKDIR).
    The ids in the manifest are the file names without `.up.sql`/`.sql`."""
    contract_marker: str = "-- slipway: contract"
    """A migration that contains this line bars a rollback past it."""
    timeout_seconds: int = Field(default=600, ge=1, le=86400)
    """Time limit of the command; exceeding it fails the release."""
    lint: Literal["refuse", "warn", "off"] = "warn"
    """What happens when squawk finds unsafe SQL in new migrations."""


class EnvVar(Setting):
    """One variable of the typed env contract. Its value comes from exactly one of value, secret and from."""

    value: Lines | None = None
    """A setting in plain text; `Pulumi.<stack>.yaml` may override it (`slipway:env`)."""
    secret: bool = False
    """The value comes from the stack's secret store."""
    source: str | None = Field(default=None, alias="from")
    """A stack output by its dotted name: `database.url`, `redis.url`, `uploads.bucket`, `url`, …"""
    optional: bool = False
    """The value may be missing; the app then does not get the variable at all."""
    scope: list[str] = Field(default_factory=list)
    """Processes that get it, or `migrate`, `task`, `cron`, `smoke`. Empty: see above."""
    kind: Literal["string", "integer", "boolean", "url"] = "string"
    """Type of the value; `boolean` is true, false, 1 or 0."""
    generate: Annotated[str, StringConstraints(pattern=r"^(base64|hex):[0-9]{1,4}$")] | None = None
    """`base64:32` or `hex:32`: encoding and random bytes of a value that `slipway secrets generate` makes."""
    min_length: int = Field(default=0, ge=0)
    """Minimum length in characters."""
    pattern: str | None = None
    """A regular expression that the whole value must match."""
    stack_pattern: dict[str, str] = Field(default_factory=dict)
    """A pattern for each stack: `{ prod = "sk_live_.*" }`; `*` for every other stack."""
    client: bool = False
    """Browsers see it (a client prefix such as NEXT_PUBLIC_). Never together with secret."""
    describe: str = ""
    """What it is for; written to `.env.example`."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        given = [self.value is not None, self.secret, self.source is not None]
        if sum(given) > 1 or (sum(given) == 0 and not self.optional):
            raise ValueError("give exactly one of value, secret = true and from")
        if self.secret and self.client:
            raise ValueError("a secret must not be client = true: browsers would see it")
        return self


class Limits(Setting):
    """Limits that the edge enforces for this app."""

    body_bytes: int = Field(default=1_048_576, ge=1024)
    """Largest request body; a larger one is answered with 413."""
    connections_per_ip: int = Field(default=200, ge=1)
    """Open connections of one address, WebSockets and silent ones too; more get 429 or are closed."""
    requests_per_minute: int = Field(default=600, ge=1)
    """Requests of one address over all paths; more are answered with 429."""
    idle_seconds: int = Field(default=60, ge=5)
    """HTTP keep-alive and request time-outs; WebSockets have their own."""
    response_seconds: int = Field(default=60, ge=1, le=300)
    """Longest wait for an answer to begin or go on; then 504. Event streams: 300 s; WebSockets: none."""


class WebSocket(Setting):
    """How the app uses WebSockets; omitted for apps without."""

    path: HttpPath = "/ws"
    """Path on which the app upgrades connections."""
    payload_bytes: int = Field(default=1_048_576, ge=125)
    """Largest message the app accepts."""
    idle_seconds: int = Field(default=300, ge=5)
    """Time after which the app closes a silent socket."""
    open: list[Lines] = Field(default_factory=list)
    """Messages that `slipway meter` and smoke send first; `${token}` and other captures are filled in."""
    echo: Lines = ""
    """The message that the meter sends repeatedly; `${n}` is a growing number that the response repeats."""
    notice: str = "SERVER_SHUTDOWN"
    """Text of the message with which the server asks a client to reconnect elsewhere."""
    close_codes: list[int] = Field(default_factory=lambda: [1000, 1001, 1012])
    """Close codes that count as an orderly close."""


class Step(Setting):
    """One HTTP request of a smoke test. `${NAME}` is filled from env values and earlier captures."""

    name: str
    """Name of the step in a failure."""
    request: Request
    """Method and path: `POST /api/tasks`."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Headers of the request."""
    body: dict[str, object] | list[object] | Lines | None = Field(default=None, alias="json")
    """JSON body of the request."""
    status: int = 200
    """The status that passes."""
    contains: str | None = None
    """Text that the response must contain."""
    capture: dict[str, str] = Field(default_factory=dict)
    """Name → dotted path in the JSON response: `{ token = "accessToken" }`."""


class Smoke(Setting):
    """Steps against the candidate release: sign in, one read, one write (S2).

    They carry `X-Load-Test: verified`, as load tests do behind the edge: all web hosts are tried as the same
    user, many of them at once, and an app that limits users by itself should let those requests pass.
    """

    steps: list[Step] = Field(default_factory=list)
    """Run in this order on every web host."""
    timeout_seconds: int = Field(default=10, ge=1, le=300)
    """Time limit of each step."""


class Observe(Setting):
    """When the first minutes of a release count as a failure."""

    window_seconds: float = Field(default=10, ge=0, le=3600)
    """How long the new release is compared with the old one after the switch; 0: not at all."""
    error_ratio: float = Field(default=0.01, ge=0, le=1)
    """Highest share of 5xx responses."""
    p95_ms: float = Field(default=500, gt=0)
    """Highest p95 of the new release."""
    p95_ratio: float = Field(default=3.0, ge=1)
    """Highest ratio of the new p95 to the old; counts only if the new one is also above p95_floor_ms."""
    p95_floor_ms: float = Field(default=100, ge=0)
    """Below this p95 a slower release is still fast enough."""
    hung_seconds: float = Field(default=5, gt=0)
    """A request that waits this long for its answer is hung, also while it still waits.

    Their share may exceed the old release's by `error_ratio`.
    """
    min_samples: int = Field(default=20, ge=1)
    """Responses needed for a verdict; the window grows up to three times, or by 30 s, to get them."""
    probe: HttpPath | None = None
    """Path of synthetic requests, sent so that `min_samples` is reached; default: the health path."""


class Preflight(Setting):
    """The app's own checks before a release (P1); run in order in a clean copy of the context."""

    commands: list[Command] = Field(default_factory=list)
    """Lint, format, type check, tests; the first failure ends the release."""
    timeout_seconds: int = Field(default=900, ge=1)
    """Time limit of each command."""
    allow_keys: list[str] = Field(default_factory=list)
    """Globs of files whose keys are harmless (fixtures, manuals): the secret scan searches these for values
    of the stack's own secrets only. `gitleaks:allow` in a line does the same for that line."""


class Retire(Setting):
    """How long the old slot stays warm, so that a rollback is only a switch."""

    hold_seconds: int = Field(default=3600, ge=0, le=604_800)
    """Time from the switch; at least observe.window_seconds."""
    keep_builds: int = Field(default=3, ge=2, le=50)
    """Builds kept on each host, for cold rollbacks."""


class Preview(Setting):
    """Throw-away copies of the app, a pull request each (`slipway preview`). See docs/how-to/previews.md."""

    seed: Command | None = None
    """Run by sh, once in the life of a preview, after its first migration, with the env of scope `task`. What
    it fills the database with must be masked: whoever opens the preview sees it."""
    seed_seconds: int = Field(default=600, ge=1, le=3600)
    """Time limit of the seed command."""
    max_age_hours: int = Field(default=168, ge=1, le=8760)
    """`slipway preview sweep` closes a preview that was opened or updated longer ago."""


class App(Setting):
    """The whole of `slipway.toml`."""

    name: Name
    """Name of the app."""
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
    """Prefixes of env names that browsers see: never secret, and declared with client = true."""
    limits: Limits = Limits()
    private_paths: list[PlainPath] = Field(default_factory=lambda: ["/ready", "/metrics"])
    """Paths that the edge answers with 404: for hosts and scrapers, not for the public."""
    websocket: WebSocket | None = None
    smoke: Smoke = Smoke()
    observe: Observe = Observe()
    load: Load = Load()
    checks: Checks = Checks()
    retire: Retire = Retire()
    preview: Preview = Preview()

    @field_validator("processes")
    @classmethod
    def _has_processes(cls, processes: dict[str, Process]) -> dict[str, Process]:
        if not processes:
            raise ValueError("name at least one process, for example [processes.web]")
        return processes

    @property
    def web(self) -> Process | None:
        """The process that serves requests, if the app has one."""
        return self.processes.get("web")

    @property
    def keep_alive_seconds(self) -> int:
        """How long the web process keeps an idle connection: as it says, or as its runtime does by itself."""
        if self.web is not None and self.web.keep_alive_seconds is not None:
            return self.web.keep_alive_seconds
        return _KEEP_ALIVE.get(self.runtime.name, _SHORTEST_KEEP_ALIVE)

    @property
    def load_paths(self) -> list[str]:
        """What load tests and the meter request: `load.paths`, by default the health path."""
        return self.load.paths or ([self.web.health] if self.web else ["/"])

    def role_of(self, process: str) -> Literal["web", "worker"]:
        """The role whose hosts run `process`."""
        return self.processes[process].role or ("web" if process == "web" else "worker")

    def on_role(self, *roles: str) -> dict[str, Process]:
        """The processes that run on a host of `roles`."""
        return {name: process for name, process in self.processes.items() if self.role_of(name) in roles}

    @property
    def hold(self) -> timedelta:
        """How long a retired slot stays warm."""
        return timedelta(seconds=self.retire.hold_seconds)
