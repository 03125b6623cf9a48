"""`[checks]` of slipway.toml: what an app declares so that `pytest checks/` can prove how it behaves.

Every key is optional. A check whose key is left out is reported as not evaluated, never as passed.
"""

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Literal

from pydantic import Field, field_validator

from slipway.settings.schema import (
    CheckId,
    EnvName,
    HttpPath,
    Lines,
    MayHoldLines,
    Request,
    Setting,
    WaiverText,
)

Number = int | EnvName
"""A number, or the name of an env entry with a plain value that holds it (a stack may override that)."""

HIDDEN = (
    "/docs", "/swagger", "/swagger-ui", "/swagger.json", "/openapi.json", "/openapi", "/api-docs", "/redoc",
    "/graphiql", "/__debug__", "/debug/pprof", "/_devtools", "/_profiler", "/server-status", "/phpinfo.php",
    "/actuator", "/actuator/env", "/actuator/heapdump", "/metrics", "/prometheus", "/.git/HEAD",
    "/.git/config", "/.svn/entries", "/.hg/hgrc", "/.env", "/.env.local", "/.env.production", "/.env.bak",
    "/.env.example", "/.npmrc", "/.aws/credentials", "/.ssh/id_rsa", "/.htpasswd", "/.DS_Store",
    "/.vscode/settings.json", "/slipway.toml", "/package.json", "/bun.lock", "/package-lock.json",
    "/requirements.txt", "/pyproject.toml", "/tsconfig.json", "/Dockerfile", "/docker-compose.yml",
    "/backup.sql", "/dump.sql", "/backup.zip", "/backup.tar.gz", "/db.sqlite3", "/src/index.ts",
    "/src/web.ts", "/config.yml", "/debug.log", "/error.log", "/app.log", "/npm-debug.log",
    "/wp-config.php.bak", "/terraform.tfstate", "/id_rsa", "/private.key", "/server.key",
)  # fmt: skip
"""Documentation, debugging pages, repositories, backups and sources that a live site must not serve."""


@dataclass(frozen=True)
class Waiver:
    """A failure of one check that the app's owners accept for a while."""

    reason: str
    until: date
    """The last day on which it counts."""

    @classmethod
    def of(cls, text: str) -> "Waiver":
        """A waiver as slipway.toml writes it: `reason, until 2027-01-31`. ValueError: no such day."""
        reason, _, day = text.rpartition(", until ")
        return cls(reason.strip(), date.fromisoformat(day))


class CheckSocket(Setting):
    """How the app guards its WebSocket; the messages are those of `[websocket]`."""

    auth_ms: Number | None = None
    """Time after which a socket that did not sign in is closed."""
    idle_ms: Number | None = None
    """Time after which a silent socket is closed."""
    payload_bytes: Number | None = None
    """Largest message; default: websocket.payload_bytes."""
    connections_per_ip: Number | None = None
    """Most open sockets of one address."""
    messages_per_minute: Number | None = None
    """Most messages of one user."""
    limited: str = "RESOURCE_EXHAUSTED"
    """Text in the response to a message above the limit."""
    retry: str = "retryAfterMs"
    """Text in that response that says when to retry."""
    invalid: Lines = ""
    """A message that the app's schema rejects; empty: not tested."""
    refused: str = "INVALID_ARGUMENT"
    """Text in the response to it."""


class CheckWrite(Setting):
    """A write that is broadcast to every open socket."""

    request: Request
    """Sent as the smoke user."""
    body: Annotated[dict[str, object], MayHoldLines()] = Field(alias="json")
    """JSON body of the request; `${n}` is a new text each time."""
    status: int = 201
    """The expected status."""
    heard: str = "${n}"
    """Text in the message that the sockets receive."""
    undo: Request | None = None
    """Request that deletes what was written; `${id}` is the `id` in the response."""


class CheckWebhook(Setting):
    """A webhook from outside, signed by HMAC-SHA256."""

    path: HttpPath
    """Path that receives it."""
    secret: EnvName
    """Entry of the secret store that signs it."""
    signed: Lines = "${timestamp}.${body}"
    """The text that is signed; `${key}`, the idempotency key, belongs into it where there is one."""
    headers: dict[str, str]
    """Its headers; `${timestamp}`, `${signature}` (hex) and `${key}` (idempotency key) are filled in."""
    body: Annotated[dict[str, object], MayHoldLines()] = Field(alias="json")
    """Its JSON body; `${n}` is a new text each time."""
    again: str = "duplicate"
    """Text in the response to one that is sent a second time."""


class CheckUpload(Setting):
    """How uploads begin: a request for a presigned URL."""

    request: Request
    """Sent as the smoke user."""
    body: Annotated[dict[str, object], MayHoldLines()] = Field(alias="json")
    """JSON body of the request; `"${size}"` becomes the size in bytes, a number."""
    status: int = 201
    """The expected status."""
    url: str = "url"
    """Dotted path of the presigned URL in the response."""
    key: str = "key"
    """Dotted path of the object's key in the response."""
    expires: str = "expiresIn"
    """Dotted path of the URL's lifetime in seconds in the response."""
    max_bytes: int = Field(default=10_485_760, ge=1)
    """Largest upload."""
    wrong: Annotated[dict[str, object], MayHoldLines()] = Field(default_factory=dict)
    """Fields of the body that name a file type which the app rejects."""
    read: Request | None = None
    """Request for the URL of an uploaded object; `${key}` is its key."""


class CheckMetrics(Setting):
    """Names of the app's own metrics on a web host's /metrics."""

    path: HttpPath = "/metrics"
    """Path of the metrics, read on the hosts; the public must not reach it."""
    queue: str = ""
    """Series that counts waiting jobs, for example `board_queue_jobs{state="waiting"}`."""
    dead: str | list[str] = ""
    """Series that count jobs that were given up: one, or several."""
    done: str = ""
    """Series that counts the jobs that were done, of all workers together."""
    oldest: str = ""
    """Series with the age in seconds of the oldest piece of work that waits."""
    oldest_seconds: Number = 900
    """Highest age of the oldest piece of work."""


class CheckToken(Setting):
    """How the app signs its access tokens (JWT), so that false ones can be made and must be refused."""

    secret: EnvName
    """Entry of the secret store whose value signs them."""
    algorithm: Literal["HS256", "HS384", "HS512"] = "HS256"
    """How it signs them."""
    seconds: Number | None = None
    """Longest life of an access token."""
    sign_out: Request | None = None
    """Request that ends the session of the cookie."""
    rotates: bool = False
    """Each `checks.refresh` sets a new cookie, and the one before must be refused."""


class CheckJob(Setting):
    """A request that causes work for the queue; `checks.metrics.done` counts what was done.

    `${n}` is a new text each time; `${id}` is the id of a record that `[checks.write]` has made for it.
    """

    request: Request
    """Causes the work; sent as the smoke user."""
    body: dict[str, object] = Field(alias="json")
    """JSON body of the request."""
    status: int = 200
    """The expected status."""
    seconds: float = Field(default=10, gt=0, le=60)
    """Longest time from the request until a job is done."""


class CheckBackups(Setting):
    """What is known of the database's backups beyond the host that makes them."""

    copy_host: str = ""
    """Host that holds a copy of each backup."""
    copy_folder: str = ""
    """Folder of the copies on `copy_host`; they have the names of the backups."""


class Checks(Setting):
    """What the app declares so that its live behaviour can be proved; see docs/checks.md."""

    accepted: dict[CheckId, WaiverText] = Field(default_factory=dict)
    """Failures that are waived: `{ "X2/framing-is-denied" = "shown in our portal, until 2027-01-31" }`.

    A waived check still runs, and is reported as waived. After the day it fails again.
    """
    hidden_paths: list[HttpPath] = Field(default_factory=lambda: list(HIDDEN))
    """Paths that must answer 404 to the public."""
    signed_in: Request | None = None
    """A request that answers 401 to anonymous clients and 200 to the smoke user."""
    admin: Request | None = None
    """An admin's request: answers 401 to anonymous clients and 403 to the smoke user."""
    refresh: Request | None = None
    """A request that the session cookie alone authorises, such as `POST /api/auth/refresh`."""
    other_user: dict[EnvName, EnvName] = Field(default_factory=dict[EnvName, EnvName])
    """Signs in another ordinary user by the smoke steps: `{ SMOKE_EMAIL = "SMOKE_OTHER_EMAIL" }`.

    Each name is an entry of scope `smoke` whose value the steps then take from another such entry.
    """
    malformed: Request | None = None
    """Gets a body that cannot be parsed: the response must be a 4xx without internal details."""
    limited: Request | None = None
    """A cheap public request that the app's own rate limit counts."""
    requests_per_minute: Number | None = None
    """Requests per minute allowed on `limited`."""
    sign_in_attempts: Number | None = None
    """Wrong passwords per minute that the app allows for one account."""
    health_keys: list[str] = Field(default_factory=list)
    """Keys of the JSON object on the health path; empty: it may answer in any form."""
    log_keys: list[str] = Field(default_factory=list)
    """Keys of each line in the logs, which are JSON objects; empty: logs may have any form."""
    migrations_query: Lines = ""
    """SQL that lists the ids of applied migrations; runs as the role of the migrations."""
    openapi: str = ""
    """File in the folder of slipway.toml: the app's OpenAPI document, in JSON. Its routes are tried too."""
    asset: HttpPath | None = None
    """A static file of the site."""
    websocket: CheckSocket | None = None
    """How the app guards its WebSocket."""
    write: CheckWrite | None = None
    """A write that every open socket must hear of."""
    webhook: CheckWebhook | None = None
    """A signed webhook from outside."""
    upload: CheckUpload | None = None
    """How an upload begins."""
    metrics: CheckMetrics | None = None
    """The names of the app's own metrics."""
    token: CheckToken | None = None
    """How access tokens are signed."""
    job: CheckJob | None = None
    """A request that causes work for the queue."""
    backups: CheckBackups = CheckBackups()
    """What is known of backups."""

    @field_validator("accepted")
    @classmethod
    def _days_exist(cls, accepted: dict[str, str]) -> dict[str, str]:
        for name, text in accepted.items():
            try:
                Waiver.of(text)
            except ValueError:
                raise ValueError(f"{name}: there is no day {text[-10:]}") from None
        return accepted

    @property
    def waivers(self) -> dict[str, Waiver]:
        """What `accepted` says, by the id of the check."""
        return {name: Waiver.of(text) for name, text in self.accepted.items()}
