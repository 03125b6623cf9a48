"""A rollout: everything the phases of one release share, opened once."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from slipway.fleet.agent_call import AgentError
from slipway.fleet.fleet import Fleet, FleetError, FleetHost
from slipway.fleet.replies import Status, Switched
from slipway.progress import Progress
from slipway.release.leavers import drop_leavers
from slipway.secrets.redact import Redactor
from slipway.settings.errors import ReleaseFailed, SlipwayError
from slipway.settings.outputs import Outputs, Role
from slipway.settings.project import Project
from slipway.storage.lease import Lease
from slipway.storage.ledger import Ledger
from slipway.storage.records import Head, Release, What

if TYPE_CHECKING:
    from slipway.build.build import Build
    from slipway.build.manifest import Manifest
    from slipway.stack import LiveStack
    from slipway.storage.bucket import Bucket

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
    """None: as the stack's `slipway:prove` says; False: nothing; True: also where that asks for nothing."""
    wait_seconds: float = 0
    """How long to wait for a lease that another command holds."""


@dataclass
class Rollout:
    """One release on its way. The phases fill in what they learn."""

    project: Project
    outputs: Outputs
    secrets: Mapping[str, str]
    fleet: Fleet
    app_hosts: list[FleetHost]
    """Hosts that run the app's processes."""
    bucket: Bucket
    ledger: Ledger
    lease: Lease
    progress: Progress
    redactor: Redactor
    options: Options = field(default_factory=Options)
    keep_boot_documents: Callable[[Mapping[Role, str]], None] | None = None
    """Where hosts start by themselves: replaces what those of each role shall start. None: nowhere."""
    head: Head | None = None
    statuses: dict[str, Status] = field(default_factory=dict[str, Status])
    config: str = ""
    build: Build | None = None
    release: Release | None = None
    """What the hosts are to run."""
    record: Release | None = None
    """The ledger's record of this command: the release itself, or the rollback to it."""
    switched: dict[str, Switched] = field(default_factory=dict[str, Switched])
    """What each web host said of its switch."""
    warnings: list[str] = field(default_factory=list[str])
    detail: dict[str, object] = field(default_factory=dict[str, object])
    """What the running phase wants recorded in the ledger; never values of secrets."""
    observed_from: float = 0.0
    promoting: bool = False
    """May the head have been moved already? Then only the ledger knows (pipeline/promoted.py)."""

    @property
    def manifest(self) -> Manifest:
        """The manifest of the build being shipped (from the build phase on)."""
        if self.build is None:
            raise RuntimeError("no build yet")
        return self.build.manifest

    @property
    def number(self) -> int:
        """The release's number (from the publish phase on)."""
        if self.release is None:
            raise RuntimeError("no release yet")
        return self.release.number

    @property
    def switched_ms(self) -> dict[str, float]:
        """How long each web host's switch took on the host, in milliseconds."""
        return {name: reply.switched_ms for name, reply in self.switched.items()}

    @property
    def site(self) -> str:
        """The site's host and port, as clients say it in the Host header."""
        return urlsplit(self.outputs.url).netloc

    @property
    def live(self) -> int | None:
        """The release that served before this one."""
        return self.head.live if self.head else None

    @property
    def roles(self) -> list[Role]:
        """Roles of the hosts that run the app's processes."""
        app = self.project.app
        return sorted({app.role_of(name) for name in app.processes})

    @property
    def web_hosts(self) -> list[FleetHost]:
        """Hosts that take traffic."""
        return [host for host in self.app_hosts if host.role == "web"]

    @property
    def worker_hosts(self) -> list[FleetHost]:
        """Hosts that run workers only."""
        return [host for host in self.app_hosts if host.role != "web"]

    def load_build(self, build: str) -> None:
        """Take a build that was published before as the one being shipped."""
        from slipway.build.build import Build  # noqa: PLC0415 - only a cold rollback needs it
        from slipway.build.manifest import load_manifest  # noqa: PLC0415

        self.build = Build(load_manifest(self.bucket, build), origin="bucket")

    def shipped_migrations(self) -> set[str]:
        """Ids of the migrations that the live release knows."""
        from slipway.build.manifest import load_manifest  # noqa: PLC0415

        if self.live is None:
            return set()
        return {
            migration.id
            for migration in load_manifest(self.bucket, self.ledger.get(self.live).build).migrations
        }

    def each(self, hosts: list[FleetHost], work: Callable[[FleetHost], T], *, doing: str) -> dict[str, T]:
        """Do `work` on all hosts at once; tell how each fares; any host failing fails the phase.

        A host that fails and is no longer of the fleet is dropped. An app's last log lines, if the agent sent
        some, become details of the error.
        """

        def told(host: FleetHost) -> T:
            self.progress.host(host.name, f"{doing} …")
            began = time.monotonic()
            result = work(host)
            self.progress.host(host.name, f"{doing} took {time.monotonic() - began:.2f} s")
            return result

        try:
            return self.ask(hosts, told)
        except FleetError as failure:
            raise self.failed(failure, doing) from failure

    def ask(self, hosts: list[FleetHost], work: Callable[[FleetHost], T]) -> dict[str, T]:
        """The same without a word; FleetError for hosts that fail and are still of the fleet."""
        results = self.fleet.each_that_stays(hosts, work)
        if not self.fleet.is_static:
            drop_leavers(self)
        return results

    def failed(self, failure: FleetError, doing: str) -> ReleaseFailed:
        """A fleet error as a person should read it: which hosts, why, and the app's last log lines."""
        details: list[str] = []
        for name, error in failure.failures.items():
            details.append(f"{name}: {self.redactor.text(str(error))}")
            if isinstance(error, AgentError):
                details.extend(f"  | {self.redactor.text(line)}" for line in error.log)
        names = ", ".join(failure.failures)
        return ReleaseFailed(f"{doing} failed on {names}", details=details)

    @contextmanager
    def recorded(self, phase: str) -> Generator[None]:
        """Write a phase's start and end to the ledger, once the release has a number."""
        self.detail = {}
        self.note(phase, "started")
        try:
            yield
        except BaseException as failure:
            reason = self.redactor.text(str(failure) or type(failure).__name__)
            # What failed is what a person must hear of, not that it went unrecorded.
            with suppress(SlipwayError):
                self.note(phase, "failed", {"reason": reason[:500]})
            raise
        self.note(phase, "done", self.detail)

    def note(self, phase: str, what: What, detail: Mapping[str, object] | None = None) -> None:
        """Append an event to this rollout's record, once it has one."""
        if self.record is not None:
            self.ledger.event(self.record.number, phase, what, detail)


def open_rollout(stack: LiveStack, lease: Lease, progress: Progress, options: Options) -> Rollout:
    """A rollout under `lease`."""
    ledger = Ledger(stack.bucket, stack.outputs.stack, lease=lease, redact=stack.redact)
    return Rollout(
        project=stack.project,
        outputs=stack.outputs,
        secrets=stack.secrets,
        fleet=stack.fleet,
        app_hosts=stack.app_hosts,
        bucket=stack.bucket,
        ledger=ledger,
        lease=lease,
        progress=progress,
        redactor=stack.redactor,
        options=options,
        keep_boot_documents=stack.write_boot_documents,
        head=ledger.head(),
    )
