"""Platform: where a stack's hosts live, behind one interface.

`platform_of(project)` is the one place that chooses a platform by its name. `local`, `servers` and `aws` have
a folder each; a platform's modules are imported when one of its methods needs them.
"""

import importlib
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NoReturn, Protocol, get_args

from hosts.inventory.parts import Inventory
from slipway.fleet.open_bucket import open_bucket
from slipway.progress import Progress
from slipway.secrets.store import SecretStore, SharedStore
from slipway.settings import BadInput, Outputs, Project, Role, SlipwayError, stack_names
from slipway.storage.bucket import Bucket

if TYPE_CHECKING:
    from slipway.platforms.access import Access  # it imports pyinfra

CLASSES: dict[str, str] = {
    "local": "slipway.platforms.local.platform:LocalPlatform",
    "servers": "slipway.platforms.servers.platform:ServersPlatform",
    "aws": "slipway.platforms.aws.platform:AwsPlatform",
}
"""By name, where a platform's class is."""
FIRST = "local"
"""The platform that a machine without a project is examined for: most people start with it."""

Severity = Literal["high", "medium", "low"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
"""The worst first."""


@dataclass(frozen=True)
class Diagnosis:
    """`fail`: the stack cannot be worked with as it is; `warn`: it can, but a person should know."""

    level: Literal["ok", "warn", "fail"]
    what: str
    remedy: str = ""


def ok(what: str) -> Diagnosis:
    """A diagnosis that nothing is wrong."""
    return Diagnosis("ok", what)


def warn(what: str, remedy: str) -> Diagnosis:
    """A diagnosis that a person should know of."""
    return Diagnosis("warn", what, remedy)


def fail(what: str, remedy: str) -> Diagnosis:
    """A diagnosis that stops work with the stack."""
    return Diagnosis("fail", what, remedy)


Examination = Callable[[], Iterable[Diagnosis]]
"""One thing that the doctor looks at; its name is shown if it fails unexpectedly."""


@dataclass(frozen=True)
class Opened:
    """A stack that is up, at this moment."""

    outputs: Outputs
    """With the hosts that can be worked with."""
    absent: Mapping[str, str] = field(default_factory=dict[str, str])
    """By name, instances that cannot be worked with (still starting, or leaving), and why."""


@dataclass(frozen=True)
class Difference:
    """One property of one resource that is not as the last update left it; or the resource, if it is gone."""

    severity: Severity
    urn: str
    name: str
    type: str
    path: str
    """Path of the property; empty: the whole resource."""
    was: str
    """As the last update left it: shortened, secrets redacted."""
    found: str
    """As it is now."""
    why: str


@dataclass(frozen=True)
class Approved:
    """A signed approval of one plan."""

    file: Path
    approved_by: str
    expires_at: datetime
    document: dict[str, object]
    """The approval as JSON."""


@dataclass(frozen=True)
class LogSearch:
    """Which lines of the app's processes a person wants to read."""

    since: datetime
    roles: Collection[Role]
    processes: Collection[str]
    """As journald names them; an entry of cron is `cron-NAME`."""
    host: str = ""
    """Only this host; empty: every host, also those that are gone."""
    pattern: re.Pattern[str] | None = None
    lines: int = 50
    """Number of the newest lines of each host."""

    def fits(self, process: str) -> bool:
        """Is a line of `process` wanted?"""
        return process in self.processes

    def matches(self, line: str) -> bool:
        """Does the line hold the pattern?"""
        return self.pattern is None or self.pattern.search(line) is not None


@dataclass(frozen=True)
class Bootstrapped:
    """What an account now has for a stack, and what a person is left with."""

    environment: Mapping[str, str]
    """Variables that commands need from now on."""
    repository: str = ""
    """`owner/name` on GitHub; empty: no workflow releases the stack."""
    variables: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, Mapping[str, str]])
    """By GitHub environment, its variables; none is a secret."""
    todo: Sequence[str] = ()


@dataclass(frozen=True)
class Image:
    """A machine image of the stack's hosts."""

    id: str
    role: str
    architecture: str
    setup: str
    """Start of the digest of the set-up that made it."""
    debian: str
    base: str
    """The image it was made from."""
    made: str
    """Time in UTC."""
    state: str
    named: bool
    """Do new hosts boot it, if the settings say `baked`?"""
    hosts: int
    """Number of hosts that were booted from it."""

    @property
    def in_use(self) -> bool:
        """Would a host or a new host miss it?"""
        return self.named or self.hosts > 0


class Images(Protocol):
    """The machine images of a stack whose hosts come and go."""

    def found(self) -> list[Image]:
        """Every image, the newest first."""
        ...

    def bake(self, role: Role, progress: Progress, *, again: bool = False) -> Image:
        """Set a new machine up as hosts of `role` are, and image it; not if there is such an image."""
        ...

    def prune(self, keep: int, progress: Progress) -> list[str]:
        """Delete all but the newest `keep` of each role; those in use stay. Ids of what is gone."""
        ...


class Platform(ABC):
    """One stack on its platform. Creating one costs nothing and reads nothing."""

    hosts_come_and_go: bool = False
    """Are hosts added and removed without `slipway up`, for example by an Auto Scaling group?"""

    def __init__(self, project: Project) -> None:
        self.project = project

    @property
    def name(self) -> str:
        """The platform's name, for messages."""
        return self.project.stack.platform

    @abstractmethod
    def bring_up(self, progress: Progress, *, break_lock: str = "") -> Outputs:
        """Bring the stack's hosts up and in line with its settings; idempotent.

        `break_lock`: owner of a lock on the engine's state that a person knows to be dead. Raises BadInput
        before anything is changed; NeedsPerson if a host or service does not come up.
        """

    def bootstrap(self, progress: Progress) -> Bootstrapped:
        """Make what the account needs before the first `bring_up`; idempotent. BadInput: it needs nothing."""
        del progress
        self._refuse("it needs no bootstrap", f"slipway up --stack {self.project.stack.name}")

    def take_down(self, progress: Progress, *, volumes: bool) -> None:
        """Stop the hosts; with `volumes`, delete them with their data. BadInput where `up` makes no hosts."""
        del progress, volumes
        self._refuse("`down` is for local fleets")

    @abstractmethod
    def open(self) -> Opened:
        """The outputs and the hosts of this moment. BadInput if the stack is not up."""

    def rediscover(self, outputs: Outputs) -> Opened:
        """`outputs` with the hosts of this moment. Costs nothing unless `hosts_come_and_go`."""
        return Opened(outputs)

    @abstractmethod
    def secret_store(self) -> SecretStore:
        """Where the stack's secrets are kept; touches nothing before the first read or write."""

    @cached_property
    def secrets(self) -> Mapping[str, str]:
        """Every value of the secret store, by name; read once."""
        return self.secret_store().read()

    @abstractmethod
    def shared_secrets(self) -> SharedStore:
        """The store, to change who can open it by an age key. BadInput if the store takes no keys."""

    def access(self) -> "Access":
        """Whose ssh keys sign in to the hosts. BadInput where hosts keep no keys of people."""
        self._refuse("its hosts keep no ssh keys of people or CI jobs")

    def private_keys(self) -> Mapping[str, str]:
        """By name, private keys (PEM) of the stack that are in no secret store."""
        return {}

    def opens_secrets_for(self, other: Project) -> bool:
        """May a command that works on `other`, a stack of the same project, read this stack's secrets?

        False where that takes credentials which such a command does not need otherwise.
        """
        del other
        return True

    def check_secret(self, name: str, value: str) -> list[str]:
        """Warnings about a value that is about to be set. BadInput, without the value, if it does not fit."""
        del name, value
        return []

    def takes_effect(self, name: str) -> str:
        """When a secret that was set takes effect, as the end of a sentence."""
        del name
        return "it reaches the app with the next release"

    def builds_bucket(self, outputs: Outputs) -> Bucket:
        """The builds bucket, with this platform's credentials and transport."""
        return open_bucket(outputs, self.secrets)

    @abstractmethod
    def setup_digests(self, outputs: Outputs, secrets: Mapping[str, str]) -> dict[str, str]:
        """By host, the digest that it has once it is set up for the settings of this moment."""

    def set_ups(
        self, outputs: Outputs, secrets: Mapping[str, str]
    ) -> tuple[dict[str, str], dict[str, Inventory]]:
        """By host, the digests of `setup_digests`, and what belongs on it where the platform knows that."""
        return self.setup_digests(outputs, secrets), {}

    def write_boot_documents(
        self, outputs: Outputs, documents: Mapping[Role, str], order: tuple[int, int]
    ) -> None:
        """Replace, by role, what a new host starts by itself. Only where `hosts_come_and_go`.

        Raises LeaseLost, and changes nothing, if a command of a newer `order` (fence, step) has written them.
        """
        del outputs, documents, order
        self._refuse("no host starts by itself")

    @property
    def plain_port(self) -> int:
        """The port that answers plain HTTP with a redirect to HTTPS."""
        return 80

    def kept_logs(self, search: LogSearch) -> Iterable[tuple[str, str]] | None:
        """Host and line of what hosts have sent to a place of its own. None: only hosts have their logs."""
        del search
        return None

    def snapshot_database(self, outputs: Outputs, progress: Progress) -> dict[str, object] | None:
        """Keep the database before a migration; what the ledger says of it. None: a host backs it up."""
        del outputs, progress
        return None

    def images(self) -> Images:
        """The machine images of its hosts. BadInput where hosts are not made from images."""
        self._refuse("its hosts are not made from machine images")

    def preview_server(self, outputs: Outputs) -> dict[str, str] | None:
        """Where a host makes previews' databases: `target` for psql, `password`. None: on itself."""
        del outputs
        return None

    def preview_prefix(self, name: str) -> str:
        """Where a preview's keys begin in the stack's uploads bucket; empty: it has a server of its own."""
        del name
        return ""

    @abstractmethod
    def renewal(self, outputs: Outputs) -> str:
        """What renews the site's certificate: a remedy for one that ends soon."""

    def drift(self, progress: Progress) -> list[Difference]:
        """What differs from what the last update left, the worst first; changes nothing."""
        del progress
        self._refuse("Pulumi makes nothing for it, so nothing can drift")

    def approve(self, urns: Sequence[str], *, lasts: timedelta, reason: str, progress: Progress) -> Approved:
        """Sign for the destruction of `urns` by the plan of this moment."""
        del urns, lasts, reason, progress
        self._refuse("Pulumi makes nothing for it, so nothing needs an approval")

    @staticmethod
    def machine_examinations() -> tuple[Examination, ...]:
        """What the platform needs of the operator's machine, whatever the stack."""
        return ()

    def examinations(self) -> tuple[Examination, ...]:
        """What the platform needs of the machine and the account for this stack, up or not."""
        return ()

    def _refuse_break_lock(self, break_lock: str) -> NoReturn:
        raise BadInput(
            f"--break-lock {break_lock}: stack {self.project.stack.name} is on platform {self.name}, "
            "where `up` runs no engine and leaves no lock",
            remedy="leave it out",
        )

    def _refuse(self, why: str, remedy: str = "") -> NoReturn:
        raise BadInput(f"stack {self.project.stack.name} is on platform {self.name}: {why}", remedy=remedy)


def platform_of(project: Project) -> Platform:
    """The platform of `project`'s stack."""
    return class_named(project.stack.platform)(project)


def class_named(platform: str) -> type[Platform]:
    """The class of the platform called `platform`."""
    module, _, name = CLASSES[platform].partition(":")
    return getattr(importlib.import_module(module), name)


def other_secrets(project: Project) -> dict[str, dict[str, str]]:
    """By stack, the secrets of the project's other stacks that can be read here; finds values used twice."""
    found: dict[str, dict[str, str]] = {}
    for name in stack_names(project.root):
        if name == project.stack.name:
            continue
        try:
            other = platform_of(project.on_stack(name))
            if other.opens_secrets_for(project):
                found[name] = dict(other.secrets)
        except SlipwayError:
            continue  # another team's stack, or one whose settings are broken: not this stack's fault
    return found
