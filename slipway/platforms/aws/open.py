"""Opening a stack on AWS: its outputs, its hosts of this moment, and what ssh needs to reach them."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from slipway.fleet.open_bucket import open_bucket
from slipway.fleet.ssh_config import write_ssh_config
from slipway.platforms.aws.discovery import STARTING, Seen, discover, look
from slipway.platforms.aws.outputs import read_outputs
from slipway.platforms.aws.session import AwsSession, names_of, session_of
from slipway.platforms.aws.ssh_key import ssh_key
from slipway.platforms.aws.tunnel import proxy_command
from slipway.settings.errors import BadInput
from slipway.settings.outputs import Cloud, Outputs
from slipway.settings.project import Project
from slipway.storage.bucket import Bucket

CONNECT_SECONDS = 14
"""To the host's first word, through Systems Manager; a bit less than the whole attempt may take."""


@dataclass(frozen=True)
class Opened:
    """The outputs with the hosts that can be worked with, and by name why others cannot, yet or any more."""

    outputs: Outputs
    absent: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def starting(self) -> list[str]:
        """Names of those that will be there soon."""
        return [name for name, why in self.absent.items() if why.startswith(STARTING)]


def open_outputs(project: Project) -> Opened:
    """Outputs, discovery and ssh_config. BadInput: the stack was never provisioned; AwsInput: no rights."""
    session, fleet = session_of(project), names_of(project.stack).fleet
    # All these have names that the settings give, so none has to wait for another.
    with ThreadPoolExecutor(1, thread_name_prefix="open") as aside:
        looking = aside.submit(look, session, fleet)
        outputs = read_outputs(session, project)
        return with_hosts(project, outputs, looking.result())


def with_hosts(project: Project, outputs: Outputs, seen: Seen | None = None) -> Opened:
    """`outputs` with the hosts of this very moment; ssh_config and known_hosts are as they must be for them.

    `seen`: what AWS said a moment ago. Kept connections to hosts that were known before stay.
    """
    session, state_dir = session_of(project), project.state_dir.resolve()
    seen = seen or look(session, names_of(project.stack).fleet)
    found = discover(seen, cloud_of(outputs), builds_bucket(session, outputs))
    key = ssh_key(state_dir)
    config = write_ssh_config(
        found.hosts,
        state_dir,
        key,
        proxy=proxy_command(session.region, session.profile, key),
        connect_seconds=CONNECT_SECONDS,
    )
    return Opened(outputs.model_copy(update={"hosts": found.hosts, "ssh_config": str(config)}), found.absent)


def builds_bucket(session: AwsSession, outputs: Outputs) -> Bucket:
    """The builds bucket, as this session's account."""
    return open_bucket(outputs, {}, session.credentials)


def cloud_of(outputs: Outputs) -> Cloud:
    """What AWS knows the stack's parts by."""
    if outputs.cloud is None:
        raise BadInput(f"the outputs of stack {outputs.stack} are not of platform aws")
    return outputs.cloud
