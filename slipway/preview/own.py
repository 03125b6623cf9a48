"""What belongs to one preview alone: its address, its outputs, its secrets and its env."""

from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import urlsplit

from hosts.agent.preview_record import TASKS, database_of
from hosts.data import bucket_policies, scram
from slipway.secrets.contract import compose
from slipway.secrets.derived import PREVIEWS_KEY, Derived
from slipway.settings import App, BadInput, Bucket, Outputs, Redis
from slipway.settings.outputs import Database
from slipway.stack import LiveStack

OWNER, APP, REDIS = "PREVIEW_OWNER_PASSWORD", "PREVIEW_APP_PASSWORD", "PREVIEW_REDIS_PASSWORD"
UPLOADS, UPLOADS_ROOT = "PREVIEW_UPLOADS_SECRET_KEY", "PREVIEW_UPLOADS_ROOT_SECRET_KEY"
ACCESS_KEY = "uploads"


@dataclass(frozen=True)
class Own:
    """One preview on the fleet `live`; `ports` are those of its web process, its Redis and its S3 server."""

    live: LiveStack
    app: App
    """slipway.toml, as the preview's build declares it."""
    name: str
    nonce: str
    ports: tuple[int, int, int]
    key: str = field(repr=False)

    @cached_property
    def derived(self) -> Derived:
        return Derived(self.key, self.name, self.nonce)

    @property
    def bucket(self) -> str:
        """Name of its uploads bucket, the only one of its S3 server."""
        return f"preview-{self.name}"

    @cached_property
    def outputs(self) -> Outputs:
        """The fleet's outputs, with what the preview has for itself."""
        fleet, (_, redis, s3) = self.live.outputs, self.ports
        changed: dict[str, object] = {"url": url_of(self.live, self.name)}
        if fleet.redis or self.live.stack.redis:
            changed["redis"] = Redis(
                url=f"redis://:${{secret:{REDIS}}}@127.0.0.1:{redis}/0", namespace=self.name
            )
        if fleet.database:
            changed["database"] = self._database(fleet.database)
        if fleet.uploads and (within := self.live.platform.preview_prefix(self.name)):
            changed["uploads"] = fleet.uploads.model_copy(update={"prefix": within})
        elif fleet.uploads:
            changed["uploads"] = Bucket(
                bucket=self.bucket,
                region=fleet.uploads.region,
                endpoint=f"https://127.0.0.1:{s3}",
                public_endpoint=url_of(self.live, f"uploads-{self.name}"),
                access_key=ACCESS_KEY,
                secret_key_secret=UPLOADS,
            )
        return fleet.model_copy(update=changed)

    def _database(self, fleet: Database) -> Database:
        name = database_of(self.name)

        def url(given: str, role: str, password: str) -> str:
            parts = urlsplit(given)
            return f"{parts.scheme}://{role}:${{secret:{password}}}@{parts.hostname}:{parts.port}/{name}?{parts.query}"

        return fleet.model_copy(
            update={
                "url": url(fleet.url, f"{name}_app", APP),
                "migrate_url": url(fleet.migrate_url, f"{name}_owner", OWNER),
                "app_role": f"{name}_app",
                "name": name,
            }
        )

    @cached_property
    def secrets(self) -> dict[str, str]:
        """Secrets of the app that are shared by all previews, and the preview's own."""
        shared = {name: value for name, value in self.live.secrets.items() if name in self.app.env}
        passwords = {name: self.derived.password(name) for name in (OWNER, APP, REDIS, UPLOADS, UPLOADS_ROOT)}
        return {**shared, **self.derived.of_app(self.app), **passwords}

    def env(self) -> dict[str, dict[str, str]]:
        """By process and one-off, its env. BadInput: a value is missing."""
        return {scope: self._values(scope) for scope in (*self.app.processes, *TASKS)}

    def smoke(self) -> dict[str, object]:
        """The smoke steps of its build, as the agent's request. BadInput: a value is missing."""
        smoke, socket = self.app.smoke, self.app.websocket
        return {
            "steps": [step.model_dump(mode="json", by_alias=True) for step in smoke.steps],
            "values": self._values("smoke"),
            "websocket": {"path": socket.path} if socket else None,
            "timeout": smoke.timeout_seconds,
        }

    def _values(self, scope: str) -> dict[str, str]:
        return compose(self.app, self.live.stack, self.outputs, self.secrets, scope)

    def services(self) -> dict[str, object]:
        """What the host makes for the preview, as the agent's request."""
        made: dict[str, object] = {}
        if server := self.live.platform.preview_server(self.outputs):
            made["server"] = server
        if database := self.outputs.database:
            made["database"] = {
                "owner_verifier": scram.verifier(f"{database.name}_owner", self.secrets[OWNER]),
                "app_verifier": scram.verifier(f"{database.name}_app", self.secrets[APP]),
            }
        if self.outputs.redis:
            made["redis"] = {"password": self.secrets[REDIS]}
        uploads = self.outputs.uploads
        if uploads and uploads.prefix:
            made["shared_uploads"] = {"bucket": uploads.bucket, "prefix": uploads.prefix}
        elif uploads:
            made["uploads"] = {
                "region": uploads.region,
                "access_key": ACCESS_KEY,
                "secret_key": self.secrets[UPLOADS],
                "root_secret_key": self.secrets[UPLOADS_ROOT],
                "bucket": bucket_policies.bucket_of(self.bucket, ACCESS_KEY, self.outputs.url),
            }
        return made


def url_of(live: LiveStack, name: str) -> str:
    """The address of the fleet's host name that begins with `name`."""
    parts = urlsplit(live.url)
    return f"{parts.scheme}://{name}.{parts.netloc}"


def key_of(live: LiveStack) -> str:
    """The fleet's key. BadInput: it was not set up for previews."""
    key = live.secret(PREVIEWS_KEY)
    if not live.stack.previews or not key:
        first = "" if live.stack.previews else f"set slipway:previews: true in Pulumi.{live.name}.yaml, then "
        raise BadInput(
            f"stack {live.name} carries no previews", remedy=f"{first}slipway up --stack {live.name}"
        )
    return key
