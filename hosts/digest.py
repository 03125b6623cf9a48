"""The digest of everything that setting up a host does: a host that has it is left alone.

It is computed without a connection, from the commands that pyinfra would run on an empty host.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from pyinfra.api.command import FileUploadCommand, PyinfraCommand, StringCommand

from hosts.access import KEYS
from hosts.deploy import packages
from hosts.plan import FleetPlan
from hosts.run import dry_run, uploaded
from slipway.settings import Host


def setup_digests(plan: FleetPlan) -> dict[str, str]:
    """By host name, the digest of the set-up of every host of `plan`."""
    return {host.name: setup_digest(plan, host) for host in plan.outputs.hosts}


def setup_digest(
    plan: FleetPlan, host: Host, commands: Iterable[tuple[str, PyinfraCommand]] | None = None
) -> str:
    """64 hex characters over commands (of a dry run), files and the deploy's sources.

    Files hold secrets, so it is keyed by the load key: a guessed secret cannot be tested against it.
    """
    key = plan.secret(plan.outputs.load_header_secret).encode()
    digest = hmac.new(key, _sources(), hashlib.sha256)
    digest.update("\n".join(packages(plan, host)).encode())
    for name, command in dry_run(plan, host) if commands is None else commands:
        if name == KEYS:
            continue
        for part in (name.encode(), *_parts(command)):
            digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()


def _parts(command: PyinfraCommand) -> Iterator[bytes]:
    """What a command does and writes. The path of an uploaded file on this machine does not count."""
    if isinstance(command, FileUploadCommand):
        yield command.dest.encode()
        yield uploaded(command)
    elif isinstance(command, StringCommand):
        yield command.get_raw_value().encode()
        yield str(dict(command.connector_arguments).get("_stdin", "")).encode()
    else:
        raise TypeError(f"{command} cannot be part of a digest")


@cache
def _sources() -> bytes:
    here = Path(__file__).parent
    sources = [*here.glob("*.py"), *here.glob("data/*.py")]
    return b"".join(path.read_bytes() for path in sorted(sources))
