"""An opened stack: what is up, read part by part. The one door for checks, load tests, doctor and commands.

    live = open_live("prod")
    live.url, live.app, live.outputs, live.secret("CRON_SECRET"), live.redact("text with a secret in it")

Opening costs nothing: each part is read when it is first used, and once.
"""

import sys
import threading
from collections.abc import Callable, Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from hosts.agent.sigv4 import Credentials
from hosts.inventory.parts import Deviation
from slipway.fleet.fleet import Fleet, FleetHost, answers
from slipway.fleet.replies import Status
from slipway.fleet.ssh import KeyBound
from slipway.part import Part, part_from
from slipway.platforms.platform import Platform, platform_of
from slipway.platforms.state_folder import set_ups
from slipway.secrets.check import weaknesses
from slipway.secrets.contract import compose, config_version, env_example
from slipway.secrets.redact import Redactor
from slipway.secrets.signing import Signing
from slipway.settings import (
    LOAD_HEADER,
    STICKY_COOKIE,
    App,
    BadInput,
    Bucket as BucketOutput,
    CheckSocket,
    CheckToken,
    CheckUpload,
    CheckWebhook,
    Host as HostOutput,
    Number,
    Outputs,
    Project,
    Role,
    SlipwayError,
    Stack,
    WebSocket,
    misfits,
    open_project,
)
from slipway.storage.bucket import Bucket, BucketError
from slipway.storage.lease import Lease, current_owner
from slipway.storage.ledger import Ledger

if TYPE_CHECKING:
    from slipway.build.manifest import Manifest

__all__ = [
    "LOAD_HEADER",
    "STICKY_COOKIE",
    "App",
    "Bucket",
    "BucketError",
    "BucketOutput",
    "CheckSocket",
    "CheckToken",
    "CheckUpload",
    "CheckWebhook",
    "Deviation",
    "FleetHost",
    "HostOutput",
    "KeyBound",
    "LiveStack",
    "Outputs",
    "Role",
    "SlipwayError",
    "WebSocket",
    "answers",
    "open_live",
]


class LiveStack:
    """One stack of one project, or a part of it. Reading changes nothing; to change it, take the lease."""

    def __init__(self, project: Project, part: Part | None = None) -> None:
        self.project = part.of(project) if part else project
        self.part = part
        self.absent: Mapping[str, str] = {}
        """By name, instances that cannot be worked with (still starting, or leaving), and why."""
        self._opening = threading.Lock()
        self._outputs = part.outputs if part else None
        self._runs_commands: set[str] = set()

    # what a person wrote

    @property
    def name(self) -> str:
        """The stack's name: `prod`, `local`, …"""
        return self.project.stack.name

    @property
    def app(self) -> App:
        """What slipway.toml says of the app."""
        return self.project.app

    @property
    def app_dir(self) -> Path:
        """The folder that slipway.toml is in."""
        return self.project.app_dir

    @property
    def settings_path(self) -> str:
        """Path of slipway.toml in the project's folder, with slashes."""
        toml = self.project.toml.resolve()
        root = self.project.root.resolve()
        return toml.relative_to(root).as_posix() if toml.is_relative_to(root) else toml.name

    @property
    def stack(self) -> Stack:
        """What Pulumi.<stack>.yaml says of the stack."""
        return self.project.stack

    @property
    def state_dir(self) -> Path:
        """The stack's folder on the operator's machine; reports go below it."""
        return self.project.state_dir

    def number(self, given: Number | None) -> int | None:
        """A number of `[checks]`: the number itself, or the value of the plain env entry that it names."""
        if given is None or isinstance(given, int):
            return given
        var = self.app.env.get(given)
        value = self.stack.env.get(given, var.value if var else None)
        if value is None or not value.isdecimal():
            raise BadInput(
                f"slipway.toml checks: {given} is no env entry with a whole number as its plain value",
                remedy="write the number itself, or the name of such an entry",
            )
        return int(value)

    # what the platform provides

    @cached_property
    def platform(self) -> Platform:
        """Where the stack's hosts live."""
        return platform_of(self.project)

    @property
    def outputs(self) -> Outputs:
        """The stack outputs. Raises BadInput if the stack is not up."""
        with self._opening:  # several threads may read it at once, and on some platforms that is slow
            if self._outputs is None:
                opened = self.platform.open()
                self._outputs, self.absent = opened.outputs, opened.absent
            return self._outputs

    @property
    def url(self) -> str:
        """Public URL, without a trailing slash."""
        return self.outputs.url.rstrip("/")

    @property
    def host_name(self) -> str:
        """Host name in the URL."""
        return urlsplit(self.url).hostname or "localhost"

    @property
    def address(self) -> tuple[str, int]:
        """Host and port to connect to for the URL: its own, unless `outputs.connect` names others."""
        parts = urlsplit(self.url)
        if self.outputs.connect:
            host, _, port = self.outputs.connect.rpartition(":")
            return host, int(port)
        return parts.hostname or "localhost", parts.port or (443 if parts.scheme == "https" else 80)

    @property
    def plain_address(self) -> tuple[str, int]:
        """Host and port that answer plain HTTP with a redirect to HTTPS."""
        return self.address[0], self.platform.plain_port

    @property
    def cheap_path(self) -> str:
        """A path that is cheap to request again and again: the web process' health path."""
        return self.app.web.health if self.app.web else "/"

    # secrets

    @cached_property
    def secrets(self) -> Mapping[str, str]:
        """Every value of the stack's secret store, by name."""
        return self.part.secrets if self.part else self.platform.secrets

    def secret(self, name: str) -> str:
        """The value called `name`; empty if the store has none."""
        return self.secrets.get(name, "")

    @property
    def load_key(self) -> str:
        """Value of X-Slipway-Load, which exempts a client from the per-address limits; may be empty."""
        return self.secret(self.outputs.load_header_secret)

    def env(self, scope: str, app: App | None = None) -> dict[str, str]:
        """The env of a process, `migrate`, `task`, `cron` or `smoke`, by the contract of `app` (today's).

        Raises BadInput if a value is missing.
        """
        return compose(app or self.app, self.stack, self.outputs, self.secrets, scope)

    @cached_property
    def smoke_env(self) -> Mapping[str, str]:
        """The env of scope `smoke`: the values of the smoke steps' placeholders."""
        return self.env("smoke")

    @cached_property
    def config_version(self) -> str:
        """12 hex digits that change when a value of any env does. Raises BadInput as `env` does."""
        return config_version(self.app, self.stack, self.outputs, self.secrets)

    @cached_property
    def redactor(self) -> Redactor:
        """Replaces every secret value in a text."""
        return Redactor(self.secrets)

    def redact(self, text: str) -> str:
        """`text` with every secret value replaced."""
        return self.redactor.text(text)

    # hosts

    @cached_property
    def fleet(self) -> Fleet:
        """The hosts, reached over kept ssh connections."""
        return Fleet(self.outputs, self._hosts_now if self.platform.hosts_come_and_go else None)

    def _hosts_now(self) -> Outputs:
        return self.platform.rediscover(self.outputs).outputs

    @property
    def app_hosts(self) -> list[FleetHost]:
        """Hosts of this moment that run the app's processes."""
        roles: list[Role] = [self.app.role_of(name) for name in self.app.processes]
        return [host for host in self.fleet.hosts if host.facts.is_any(*roles)]

    def statuses(self) -> dict[str, Status]:
        """By name, the agent's status of every host that runs the app."""
        return self.fleet.each_that_stays(self.app_hosts, lambda host: host.agent.status())

    @cached_property
    def write_boot_documents(self) -> Callable[[Mapping[Role, str], tuple[int, int]], None] | None:
        """Replaces, by role, what a new host starts by itself; None where `slipway up` alone adds hosts."""
        if not self.platform.hosts_come_and_go:
            return None
        return partial(self.platform.write_boot_documents, self.outputs)

    @cached_property
    def signing(self) -> Signing:
        """This person's signatures for the stack."""
        return Signing(self.project)

    def deviations(self) -> tuple[Mapping[str, list[Deviation]], Mapping[str, Exception]] | None:
        """By host, what is not as its set-up left it or does not belong there; and why others were not read.

        None if the platform does not know what belongs on its hosts.
        """
        # Slow to import, and a rollback needs none of it.
        from hosts.inventory.look import look_at_all  # noqa: PLC0415
        from slipway.build.released import released  # noqa: PLC0415

        _, inventories = set_ups(self.project, self.outputs, self.secrets)
        if not inventories:
            return None
        return look_at_all(self.outputs, inventories, released(self.app, self.ledger, self.bucket))

    # the record of releases

    @cached_property
    def bucket(self) -> Bucket:
        """The bucket of builds and of the ledger."""
        return self.platform.builds_bucket(self.outputs)

    @cached_property
    def ledger(self) -> Ledger:
        """The record of releases; writing to it takes the lease."""
        return Ledger(self.bucket, self.outputs.stack)

    @property
    def release(self) -> int | None:
        """Number of the release that serves: one that is switched to but not promoted yet, else the live."""
        under_way = self.ledger.unfinished()
        if under_way is not None and under_way.status == "live":
            return under_way.target or under_way.number
        return self.ledger.head().live

    def lease(self, wait_seconds: float = 0, *, yields: bool = False, preempts: bool = False) -> Lease:
        """Take the stack's lease; a context manager. Raises LeaseHeld. See `Lease.acquire`."""
        return Lease.acquire(
            self.bucket,
            self.outputs.stack,
            current_owner(),
            command=_command_line(),
            wait_seconds=wait_seconds,
            yields=yields,
            preempts=preempts,
        )

    # what checks compare the live stack with

    def env_example(self) -> str:
        """The text of a `.env.example` for the app's env contract."""
        return env_example(self.app)

    def secret_problems(self, name: str) -> list[str]:
        """In which ways the stack's value of the secret `name` breaks its env contract; never the value."""
        return list(misfits(self.app.env[name], self.secrets[name], self.name))

    def weak_secrets(self) -> list[str]:
        """Every value of the store that can be guessed, as `NAME: how`; never the value."""
        judged = {name: weaknesses(value) for name, value in self.secrets.items() if "-----" not in value}
        return [f"{name}: {problem}" for name, found in judged.items() for _, problem in found]

    def private_keys(self) -> Mapping[str, str]:
        """By name, the stack's private keys that are in no secret store: PEM."""
        return self.platform.private_keys()

    def manifest(self, build: str) -> "Manifest":
        """The manifest of a build in the builds bucket."""
        from slipway.build.manifest import load_manifest  # noqa: PLC0415 - as above

        return load_manifest(self.bucket, build)

    def files_of(self, build: str) -> dict[str, str]:
        """What a build's layers hold, by name: `<SHA-256> <mode>` of a file, `-> target` of a link."""
        from slipway.build.contents import contents_of  # noqa: PLC0415 - as above

        return contents_of(self.manifest(build), self.bucket)

    def env_as_released(self, release: int, scope: str) -> dict[str, str] | None:
        """The env of a process in `release`; None if settings or secrets have changed since.

        A release keeps the version of its values and not the values, so that they are known only as long as
        today's still give that version. Raises BadInput if a value is missing.
        """
        record = self.ledger.get(release)
        app = self.manifest(record.build).as_declared(self.app)
        if config_version(app, self.stack, self.outputs, self.secrets) != record.config:
            return None
        return self.env(scope, app)

    def migrations(self, release: int) -> list[str]:
        """Ids of the migrations in the build of `release`."""
        return [migration.id for migration in self.manifest(self.ledger.get(release).build).migrations]

    def tunnel(self, host: str, address: str, port: int) -> int:
        """A port of 127.0.0.1 that leads to `address:port` as `host` sees it, through its ssh connection.

        Raises KeyBound for a key of CI.
        """
        connection = self.fleet.host(host).connection
        if host not in self._runs_commands:
            connection.run([":"])  # a key of CI would be refused only by the tunnel's first connection
            self._runs_commands.add(host)
        return connection.tunnel(address, port)

    def open_bucket(self, place: BucketOutput, account: BucketOutput) -> Bucket | None:
        """The bucket `place`, by the account that hosts use for the bucket `account`, read-only if it may be.

        None: hosts use a role there, which the operator's machine cannot take.
        """
        key = account.reader_access_key or account.access_key
        secret = account.reader_secret_key_secret or account.secret_key_secret
        if key is None or secret is None:
            return None
        url = urlsplit(place.endpoint or "")
        entrance = self.outputs.by_role("web")[0].name
        connect = (
            ("127.0.0.1", self.tunnel(entrance, url.hostname or "", url.port or 443))
            if place.tunnel
            else None
        )
        return Bucket(
            place.bucket,
            Credentials(key, self.secret(secret)),
            region=place.region,
            endpoint=place.endpoint,
            connect=connect,
            ca_file=self.outputs.builds.ca_file or self.outputs.ca_file or None,
        )


def open_live(stack: str, part: int | None = None) -> LiveStack:
    """The stack called `stack` of the project in or above the working directory; of it, the `part` given.

    Raises BadInput: no such stack, or settings that cannot be read.
    """
    return LiveStack(open_project(stack), None if part is None else part_from(part))


def _command_line() -> str:
    """What the lease shows to others: the command without its arguments, which may hold secrets."""
    return " ".join(["slipway", *(word for word in sys.argv[1:2] if not word.startswith("-"))])
