"""Opening a stack: outputs, secrets, hosts, ledger, each only when first needed and none twice."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping
from functools import cached_property, partial
from typing import TYPE_CHECKING

from slipway.fleet.fleet import Fleet, FleetHost
from slipway.fleet.replies import Status
from slipway.progress import Progress
from slipway.secrets.redact import Redactor
from slipway.settings.errors import BadInput
from slipway.settings.outputs import Outputs, Role
from slipway.settings.project import Project
from slipway.storage.bucket import Bucket
from slipway.storage.lease import Lease, current_owner
from slipway.storage.ledger import Ledger

if TYPE_CHECKING:
    from slipway.release.rollout import Options, Rollout


class OpenStack:
    """A stack as a command uses it. Opening costs nothing; each part is read on first use."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.absent: Mapping[str, str] = {}
        """By name, hosts that cannot be worked with, and why: still starting, or leaving. Platform aws."""
        self._opening = threading.Lock()
        self._outputs: Outputs | None = None

    @property
    def outputs(self) -> Outputs:
        """What the platform promised; BadInput if the stack was never brought up."""
        with self._opening:  # several threads may ask at once, and for some platforms it is slow
            if self._outputs is None:
                self._outputs = self._open_outputs()
            return self._outputs

    def _open_outputs(self) -> Outputs:
        if self.project.stack.platform == "aws":
            from slipway.platforms.aws.open import open_outputs as find_outputs  # noqa: PLC0415

            opened = find_outputs(self.project)
            self.absent = opened.absent
            return opened.outputs
        if self.project.stack.platform == "servers":
            from slipway.platforms.servers.open import open_outputs  # noqa: PLC0415 - only where it is the platform

            return open_outputs(self.project, self.secrets)
        path = self.project.state_dir / "outputs.json"
        if not path.exists():
            raise BadInput(
                f"stack {self.project.stack.name} is not up: {path} does not exist",
                remedy=f"slipway up --stack {self.project.stack.name}",
            )
        return Outputs.model_validate_json(path.read_text())

    @cached_property
    def secrets(self) -> Mapping[str, str]:
        """Every value of the stack's secret store, by name."""
        from slipway.secrets.store import open_store  # noqa: PLC0415

        return open_store(self.project).read()

    @cached_property
    def redactor(self) -> Redactor:
        """Blots out every secret value."""
        return Redactor(self.secrets)

    @cached_property
    def fleet(self) -> Fleet:
        """The hosts, reached over kept ssh connections."""
        return Fleet(self.outputs, self._discovery())

    def _discovery(self) -> Callable[[], Outputs] | None:
        """Where hosts come and go by themselves, who finds those of this moment."""
        if self.project.stack.platform != "aws":
            return None
        from slipway.platforms.aws.open import with_hosts  # noqa: PLC0415

        return lambda: with_hosts(self.project, self.outputs).outputs

    def _boot_documents(self) -> Callable[[Mapping[Role, str]], None] | None:
        """Where hosts start by themselves, who keeps what they shall start."""
        if self.project.stack.platform != "aws":
            return None
        from slipway.platforms.aws import boot_secret  # noqa: PLC0415
        from slipway.platforms.aws.open import cloud_of  # noqa: PLC0415
        from slipway.platforms.aws.session import session_of  # noqa: PLC0415

        return partial(boot_secret.write, session_of(self.project), cloud_of(self.outputs))

    @cached_property
    def app_hosts(self) -> list[FleetHost]:
        """Hosts that run the app's processes."""
        app = self.project.app
        roles = {app.role_of(name) for name in app.processes}
        return [host for host in self.fleet.hosts if host.role in roles]

    @cached_property
    def bucket(self) -> Bucket:
        """The builds bucket."""
        from slipway.fleet.open_bucket import open_bucket  # noqa: PLC0415

        if self.project.stack.platform == "aws":
            from slipway.platforms.aws.session import session_of  # noqa: PLC0415

            return open_bucket(self.outputs, {}, session_of(self.project).credentials)
        return open_bucket(self.outputs, self.secrets)

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger, to be read."""
        return Ledger(self.bucket, self.outputs.stack)

    def lease(self, wait_seconds: float = 0) -> Lease:
        """Take the stack's lease; a context manager."""
        return Lease.acquire(
            self.bucket,
            self.outputs.stack,
            current_owner(),
            command=_command_line(),
            wait_seconds=wait_seconds,
        )

    def statuses(self) -> dict[str, Status]:
        """What every host of the app says of itself."""
        return self.fleet.each_that_stays(self.app_hosts, lambda host: host.agent.status())

    def rollout(self, lease: Lease, progress: Progress, options: Options) -> Rollout:
        """A rollout under `lease`."""
        from slipway.release.rollout import Rollout  # noqa: PLC0415 - it imports what reading does not need

        ledger = Ledger(self.bucket, self.outputs.stack, lease=lease, redact=self.redactor.text)
        return Rollout(
            project=self.project,
            outputs=self.outputs,
            secrets=self.secrets,
            fleet=self.fleet,
            app_hosts=[host for host in self.app_hosts if host in self.fleet.hosts],
            bucket=self.bucket,
            ledger=ledger,
            lease=lease,
            progress=progress,
            redactor=self.redactor,
            options=options,
            keep_boot_documents=self._boot_documents(),
            head=ledger.head(),
        )


def _command_line() -> str:
    """What the lease shows others: the command, without its arguments' values."""
    return " ".join(["slipway", *(word for word in sys.argv[1:2] if not word.startswith("-"))])
