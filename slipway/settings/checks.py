"""`[checks]` of slipway.toml: what an app declares so that `slipway check` can test how it behaves.

Every key is optional. A check whose key is missing is reported as not evaluated, never as passed.
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
"""Docs, debugging and repositories, which must not be reachable on a live site (ASVS 13.4)."""


class CheckSection(BaseModel):
    """A table of `[checks]`: frozen; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class CheckSocket(CheckSection):
    """How the app protects its WebSocket; the messages are those of `[websocket]`."""

    auth_ms: Number | None = None
    """Milliseconds after which a socket that did not sign in is closed."""
    idle_ms: Number | None = None
    """Milliseconds after which an idle socket is closed."""
    payload_bytes: Number | None = None
    """Largest message allowed; default: websocket.payload_bytes."""
    connections_per_ip: Number | None = None
    """Sockets allowed for one address."""
    messages_per_minute: Number | None = None
    """Messages allowed for one user in a minute."""
    limited: str = "RESOURCE_EXHAUSTED"
    """Text in the answer to a message over that limit."""
    retry: str = "retryAfterMs"
    """Text in that answer which says when to retry."""
    invalid: str = ""
    """A message that the schema does not allow; empty: not tested."""
    refused: str = "INVALID_ARGUMENT"
    """Text in the answer to such a message."""


class CheckWrite(CheckSection):
    """A write that every open socket is notified of."""

    request: Request
    """Sent as the smoke user."""
    body: dict[str, object] = Field(alias="json")
    """Its JSON body; `${n}` is a new text each time."""
    status: int = 201
    """Expected status."""
    heard: str = "${n}"
    """Text in the message that other sockets get."""
    undo: Request | None = None
    """Request that undoes the write; `${id}` is the `id` in the answer."""


class CheckWebhook(CheckSection):
    """A webhook that the app receives, signed with HMAC-SHA256."""

    path: HttpPath
    """Path of the webhook."""
    secret: EnvName
    """Entry of the secret store with the signing key."""
    signed: str = "${timestamp}.${body}"
    """The signed text."""
    headers: dict[str, str]
    """Its headers; `${timestamp}`, `${signature}` (hex) and `${key}` (idempotency) are replaced."""
    body: dict[str, object] = Field(alias="json")
    """Its JSON body; `${n}` is a new text each time."""
    again: str = "duplicate"
    """Text in the answer to a webhook that was sent twice."""


class CheckUpload(CheckSection):
    """The request for a presigned URL that an upload starts with."""

    request: Request
    """Sent as the smoke user."""
    body: dict[str, object] = Field(alias="json")
    """Its JSON body; `"${size}"` becomes the size in bytes, a number."""
    status: int = 201
    """Expected status."""
    url: str = "url"
    """Dotted path of the presigned URL in the answer."""
    key: str = "key"
    """Dotted path of the object's key in the answer."""
    expires: str = "expiresIn"
    """Dotted path of the URL's lifetime in seconds in the answer."""
    max_bytes: int = Field(default=10_485_760, ge=1)
    """Largest upload allowed."""
    wrong: dict[str, object] = Field(default_factory=dict)
    """Fields that turn the body into one with a content type that is refused."""
    read: Request | None = None
    """Request for the URL of an upload; `${key}` is the object's key."""


class CheckMetrics(CheckSection):
    """Names of the app's own metrics on a web host."""

    path: HttpPath = "/metrics"
    """Path of the metrics, read on the hosts; the public must not reach it."""
    queue: str = ""
    """Series with the number of waiting jobs, for example `board_queue_jobs{state="waiting"}`."""
    dead: str = ""
    """Series with the number of dead jobs."""


class Checks(CheckSection):
    """What the app declares so that its live behaviour can be checked; see docs/checks.md."""

    hidden_paths: list[HttpPath] = Field(default_factory=lambda: list(HIDDEN))
    """Paths that must answer 404 to the public."""
    signed_in: Request | None = None
    """Request that answers 401 to anonymous clients and 200 to the smoke user."""
    admin: Request | None = None
    """Request that answers 401 to anonymous clients and 403 to the smoke user, who is no admin."""
    malformed: Request | None = None
    """Request sent with a body that cannot be parsed; the answer must be a 4xx that exposes no internals."""
    limited: Request | None = None
    """A cheap public request that the app's rate limit counts."""
    requests_per_minute: Number | None = None
    """Requests per minute allowed on `limited`."""
    sign_in_attempts: Number | None = None
    """Wrong passwords per minute allowed for one account."""
    migrations_query: str = ""
    """SQL that lists the ids of applied migrations, run as the migrations' role."""
    asset: HttpPath | None = None
    """A static file of the site."""
    websocket: CheckSocket | None = None
    """How the app protects its WebSocket."""
    write: CheckWrite | None = None
    """A write that open sockets are notified of."""
    webhook: CheckWebhook | None = None
    """A webhook that the app receives."""
    upload: CheckUpload | None = None
    """How an upload starts."""
    metrics: CheckMetrics | None = None
    """Names of the app's metrics."""
