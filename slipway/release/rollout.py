"""What a phase is and what it may use: the rollout that a command's phases share, and the shipment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar
from urllib.parse import urlsplit

from slipway.fleet.replies import Status
from slipway.progress import Progress
from slipway.release.membership import Membership
from slipway.settings import App, Outputs, Project
from slipway.stack import LiveStack
from slipway.storage.lease import Lease
from slipway.storage.ledger import Ledger
from slipway.storage.records import Head, Release

if TYPE_CHECKING:
    from slipway.build.manifest import Manifest


T = TypeVar("T")


@dataclass(frozen=True)
class Options:
    """What the person who releases may choose."""

    observe_seconds: float | None = None
    """None: as slipway.toml says; 0: no window."""
    checks: bool = True
    """Run the app's own preflight commands?"""
    migrate: bool | None = None
    """None: when the schema or the config moved; True: always."""
    prove: bool | None = None
    """None: as the stack's `slipway:prove` says; False: nothing; True: also where that wants nothing."""
    after_rollback: bool = False
    """Release although a rollback holds the stack?"""
    automatic: bool = False
    """Did a machine start it, and not a person?"""
    wait_seconds: float = 0
    """How long to wait for a lease that another command holds."""


@dataclass(frozen=True)
class Rollout:
    """One command that changes what a stack serves. Phases read it and return what they produce."""

    stack: LiveStack
    lease: Lease
    ledger: Ledger
    """For writing, under the lease."""
    progress: Progress
    options: Options
    head: Head
    """The ledger's head as the command found it."""
    statuses: Mapping[str, Status]
    """By host name, the agent's status as the command found it."""
    hosts: Membership
    warnings: list[str] = field(default_factory=list[str])
    """Shown to the person at the end of the command."""

    @property
    def live(self) -> int | None:
        """The release that served before this command."""
        return self.head.live

    @property
    def fence(self) -> int:
        """Carried by every command to a host, which refuses an older one."""
        return self.lease.fence

    @property
    def project(self) -> Project:
        """The stack's project."""
        return self.stack.project

    @property
    def app(self) -> App:
        """The app's slipway.toml."""
        return self.stack.app

    @property
    def outputs(self) -> Outputs:
        """The stack outputs, with the hosts as they were last discovered."""
        return self.stack.fleet.outputs

    @property
    def site(self) -> str:
        """The site's host and port, as clients send it in the Host header."""
        return urlsplit(self.outputs.url).netloc

    def redact(self, text: str) -> str:
        """`text` with every secret value replaced."""
        return self.stack.redact(text)

    def shipment(self, release: Release) -> Shipment:
        """`release`, which was shipped before, with its manifest from the builds bucket."""
        return Shipment(release, lambda: self.stack.manifest(release.build))


@dataclass(frozen=True)
class Shipment:
    """A release that hosts are to run. A warm rollback needs no manifest, so it is read on first use."""

    release: Release
    read_manifest: Callable[[], Manifest]

    @property
    def number(self) -> int:
        """The release's number in the ledger."""
        return self.release.number

    @cached_property
    def manifest(self) -> Manifest:
        """The manifest of the release's build."""
        return self.read_manifest()

    def app(self, today: App) -> App:
        """The app as its build declares it; see `Manifest.as_declared`."""
        return self.manifest.as_declared(today)


class Phase(Generic[T]):
    """A step of a release: made from what earlier phases returned, it returns what later ones need.

    `run` and `undo` must be safe to repeat: either may have been killed half-way. `undo` knows only what the
    phase was made from, because `run` may have been cut before it could return.
    """

    name: ClassVar[str]
    undoing: ClassVar[str] = ""
    """What `undo` takes back, for the person; default: the phase's name."""
    touches_fleet: ClassVar[bool] = True
    """Is the lease to be checked before the phase begins?"""

    def run(self, rollout: Rollout) -> T:
        """Do it, or raise a SlipwayError."""
        raise NotImplementedError

    def undo(self, rollout: Rollout) -> None:
        """Take back whatever of `run` happened. Nothing to take back by default."""

    def detail(self, result: T) -> Mapping[str, object]:
        """What the ledger records about the result; never values of secrets."""
        del result
        return {}

    def opened(self, result: T) -> Release | None:
        """The ledger's record that this phase opened; later phases are written to it."""
        del result

    def is_settled(self, rollout: Rollout) -> bool:
        """Has it made the release a fact, so that nothing may be undone any more? NeedsPerson: not known."""
        del rollout
        return False


def open_rollout(
    stack: LiveStack,
    lease: Lease,
    progress: Progress,
    statuses: Callable[[], Mapping[str, Status]],
    options: Options | None = None,
) -> Rollout:
    """A rollout under `lease`. `statuses` is called once the head has been read."""
    ledger = Ledger(stack.bucket, stack.outputs.stack, lease=lease, redact=stack.redact)
    head, found, warnings = ledger.head(), statuses(), list[str]()
    return Rollout(
        stack=stack,
        lease=lease,
        ledger=ledger,
        progress=progress,
        options=options or Options(),
        head=head,
        statuses=found,
        hosts=Membership(stack, found, progress, warnings),
        warnings=warnings,
    )
