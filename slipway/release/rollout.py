"""What a phase is and what it may use: the rollout that a command's phases share, and the shipment."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar
from urllib.parse import urlsplit

from hosts.agent.signature import FENCE, fence_statement
from slipway.fleet.agent import Order
from slipway.fleet.fleet import answers
from slipway.fleet.replies import Status
from slipway.progress import Progress
from slipway.release.membership import Membership
from slipway.settings import App, BadInput, Outputs, Project
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
    build: str = ""
    """Id or folder of a build that `slipway build` made; empty: it is made now."""
    promotion: Mapping[str, object] = field(default_factory=dict[str, object])
    """Which release of another stack the build is from (slipway/release/promotion.py); empty: of none."""
    unsandboxed: bool = False
    """Do build commands run without a sandbox?"""
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


class Steps:
    """Counts the steps of one command."""

    def __init__(self) -> None:
        self.now = 0
        self._lock = threading.Lock()

    def next(self) -> int:
        with self._lock:
            self.now += 1
            return self.now


@dataclass(frozen=True)
class SignedEnv:
    """By scope, the env that a release runs with, signed for this command: hosts take no other."""

    env: Mapping[str, Mapping[str, str]]
    salts: Mapping[str, str]
    digests: Mapping[str, str]
    signer: str
    signature: str

    def ticket(self, scopes: Collection[str]) -> dict[str, object]:
        """What a host needs to check the env of `scopes`, and to guess at that of no other."""
        return {
            "salts": {scope: self.salts[scope] for scope in scopes},
            "digests": self.digests,
            "signer": self.signer,
            "signature": self.signature,
        }


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
    away: Mapping[str, Exception] = field(default_factory=dict[str, Exception])
    """Why hosts did not say what they run when the command began, by name."""
    steps: Steps = field(default_factory=Steps)
    stopped: threading.Event = field(default_factory=threading.Event)
    """Set when the command is interrupted: threads that still work end at their next step."""
    signed_envs: dict[int, SignedEnv] = field(default_factory=dict[int, SignedEnv])
    """By release that this command has staged. Written under `signing_env`: hosts are staged at once."""
    signing_env: threading.Lock = field(default_factory=threading.Lock)
    fence_ticket: Mapping[str, str] = field(default_factory=dict[str, str])
    """The signature of the lease's fence; empty: this person may not sign."""

    @property
    def live(self) -> int | None:
        """The release that served before this command."""
        return self.head.live

    @property
    def order(self) -> Order:
        """Carried by every command to a host, which refuses an older one: fence and step."""
        return Order(self.lease.fence, self.steps.now, self.fence_ticket)

    def next_order(self) -> Order:
        """The order of the next step: from now on hosts refuse what earlier steps may still send."""
        return Order(self.lease.fence, self.steps.next(), self.fence_ticket)

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

    def shipment(self, release: Release, record: Release | None = None) -> Shipment:
        """`release`, which was shipped before, with its manifest from the builds bucket.

        `record` decided that it serves (again); None: its own.
        """
        return Shipment(release, lambda: self.stack.manifest(release.build), record)

    def shipped(self, number: int) -> Shipment:
        """Release `number`, as the ledger says now."""
        return self.shipment(self.ledger.get(number), self.ledger.authority(number))


@dataclass(frozen=True)
class Shipment:
    """A release that hosts are to run. A warm rollback needs no manifest, so it is read on first use."""

    release: Release
    read_manifest: Callable[[], Manifest]
    record: Release | None = None
    """The record that decided that it serves; None: the release's own."""

    @property
    def ticket(self) -> Mapping[str, object] | None:
        """The signature that lets hosts serve it."""
        return (self.record or self.release).ticket

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

    `run` must be safe to repeat, and may be cut anywhere. What it changed on hosts is taken back by what the
    hosts say then (see `protocol`), not by the phase.
    """

    name: ClassVar[str]
    undoing: ClassVar[str] = ""
    """If the phase changes what hosts hold or serve: its name when that is taken back, for the person."""
    touches_fleet: ClassVar[bool] = True
    """Is the lease to be checked before the phase begins?"""

    def run(self, rollout: Rollout) -> T:
        """Do it, or raise a SlipwayError."""
        raise NotImplementedError

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
    """A rollout under `lease`. `statuses` is called once the head has been read, and can move no more.

    Hosts that do not answer are in `away`: recovery does what it can without them, and nothing else does.
    """
    ledger = Ledger(
        stack.bucket, stack.outputs.stack, lease=lease, redact=stack.redact, sign=stack.signing.record
    )
    head, warnings = ledger.claim(), list[str]()
    found, away = answers(statuses)
    return Rollout(
        stack=stack,
        lease=lease,
        ledger=ledger,
        progress=progress,
        options=options or Options(),
        head=head,
        statuses=found,
        hosts=Membership(stack, [*found, *away], progress, warnings),
        warnings=warnings,
        away=away,
        fence_ticket=_signed_fence(stack, lease.fence),
    )


def _signed_fence(stack: LiveStack, fence: int) -> dict[str, str]:
    content = fence_statement(stack=stack.stack.fleet_id, fence=fence)
    try:
        signer, signature = stack.signing.sign(content, FENCE)
    except BadInput:  # hosts believe the ssh key of a person, who may recover and go back without it
        return {}
    return {"signer": signer, "signature": signature}
