"""`[checks]` of slipway.toml: what an app declares so that `pytest checks/` can prove how it behaves.

Every key is optional. A check whose key is left out is reported as not evaluated, never as passed.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

EnvName = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]*$")]
HttpPath = Annotated[str, StringConstraints(pattern=r"^/[^\s]*$")]
Request = Annotated[str, StringConstraints(pattern=r"^(GET|POST|PUT|PATCH|DELETE|HEAD) /\S*$")]
Number = int | EnvName
"""A number, or the name of an env entry with a plain value that holds it (a stack may override that)."""

HIDDEN = (
    "/docs", "/swagger", "/swagger-ui", "/openapi.json", "/openapi", "/api-docs", "/graphiql",
    "/__debug__", "/debug/pprof", "/_devtools", "/.git/HEAD", "/.git/config", "/.env", "/server-status",
    "/phpinfo.php", "/actuator", "/metrics", "/package.json",
)  # fmt: skip
"""Docs, debugging and repositories: what must not be found on a live site (ASVS 13.4)."""


class CheckSection(BaseModel):
    """A table of `[checks]`: frozen, and closed to unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class CheckSocket(CheckSection):
    """How the app guards its WebSocket; the messages are those of `[websocket]`."""

    auth_ms: Number | None = None
    """After which a socket that did not sign in is closed."""
    idle_ms: Number | None = None
    """After which a silent socket is closed."""
    payload_bytes: Number | None = None
    """Largest message; default: websocket.payload_bytes."""
    connections_per_ip: Number | None = None
    """Most sockets of one address."""
    messages_per_minute: Number | None = None
    """Most messages of one user."""
    limited: str = "RESOURCE_EXHAUSTED"
    """Text in the refusal of a message too many."""
    retry: str = "retryAfterMs"
    """Text in it that tells when to try again."""
    invalid: str = ""
    """A message that the schema does not allow; empty: not tried."""
    refused: str = "INVALID_ARGUMENT"
    """Text in its refusal."""


class CheckWrite(CheckSection):
    """A write that every open socket hears of."""

    request: Request
    """Sent as the smoke user."""
    body: dict[str, object] = Field(alias="json")
    """Its JSON body; `${n}` is a new text each time."""
    status: int = 201
    """The right answer."""
    heard: str = "${n}"
    """Text in the message that others get."""
    undo: Request | None = None
    """Takes it back; `${id}` is the `id` in the answer."""


class CheckWebhook(CheckSection):
    """A webhook from outside, signed by HMAC-SHA256."""

    path: HttpPath
    """Where it is received."""
    secret: EnvName
    """Entry of the secret store that signs it."""
    signed: str = "${timestamp}.${body}"
    """What is signed."""
    headers: dict[str, str]
    """Sent with it; `${timestamp}`, `${signature}` (hex) and `${key}` (of idempotency) are filled in."""
    body: dict[str, object] = Field(alias="json")
    """Its JSON body; `${n}` is a new text each time."""
    again: str = "duplicate"
    """Text in the answer to one that was sent twice."""


class CheckUpload(CheckSection):
    """How uploads begin: a request for a presigned URL."""

    request: Request
    """Sent as the smoke user."""
    body: dict[str, object] = Field(alias="json")
    """Its JSON body; `"${size}"` becomes the size in bytes, a number."""
    status: int = 201
    """The right answer."""
    url: str = "url"
    """Dotted path of the presigned URL in the answer."""
    key: str = "key"
    """Dotted path of the object's key in the answer."""
    expires: str = "expiresIn"
    """Dotted path of the URL's life in seconds in the answer."""
    max_bytes: int = Field(default=10_485_760, ge=1)
    """Largest upload."""
    wrong: dict[str, object] = Field(default_factory=dict)
    """Fields that make the body one of a type that is refused."""
    read: Request | None = None
    """Asks for an upload's URL; `${key}` is its key."""


class CheckMetrics(CheckSection):
    """Names of the app's own metrics on a web host's /metrics."""

    path: HttpPath = "/metrics"
    """Asked on the hosts; the public must not reach it."""
    queue: str = ""
    """Series of waiting jobs, for example `board_queue_jobs{state="waiting"}`."""
    dead: str = ""
    """Series of jobs given up."""


class Checks(CheckSection):
    """What the app declares so that its live behaviour can be proved; see docs/checks.md."""

    hidden_paths: list[HttpPath] = Field(default_factory=lambda: list(HIDDEN))
    """Must answer 404 to the public."""
    signed_in: Request | None = None
    """Answers 401 to strangers, and to the smoke user 200."""
    admin: Request | None = None
    """Answers 401 to strangers and 403 to the smoke user, who is none."""
    malformed: Request | None = None
    """Is sent a body that cannot be parsed: the answer must be a 4xx that tells nothing of the inside."""
    limited: Request | None = None
    """A cheap public request that the app's own rate limit counts."""
    requests_per_minute: Number | None = None
    """That limit."""
    sign_in_attempts: Number | None = None
    """Most wrong passwords for one account a minute."""
    migrations_query: str = ""
    """SQL that lists the ids of applied migrations, asked as the migrations' role."""
    asset: HttpPath | None = None
    """A static file of the site."""
    websocket: CheckSocket | None = None
    """See below."""
    write: CheckWrite | None = None
    """See below."""
    webhook: CheckWebhook | None = None
    """See below."""
    upload: CheckUpload | None = None
    """See below."""
    metrics: CheckMetrics | None = None
    """See below."""
