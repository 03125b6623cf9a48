"""Hosts that are there already, brought in line by the kit that new ones set themselves up with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from slipway.fleet.fleet import Fleet, FleetHost
from slipway.progress import Progress
from slipway.settings.errors import SlipwayError
from slipway.settings.outputs import Role
from slipway.storage.bucket import Bucket

if TYPE_CHECKING:
    from hosts.plan import FleetPlan

SECONDS = 1200
"""Packages may have to be installed."""

# The kit comes on standard input, and is gone when it has run.
RUN = (
    'kit="$(mktemp -d)" && trap \'rm -rf "$kit"\' EXIT && tar -xzf - -C "$kit" && python3 -I "$kit/setup.py"'
)


def publish_kits(plan: FleetPlan, bucket: Bucket, roles: tuple[Role, ...]) -> dict[Role, bytes]:
    """Put the kit of every role where new hosts find it. The archives, by role."""
    from hosts.kit import kit_objects, make  # noqa: PLC0415 - the set-up's own modules, imported by `up` only

    for role in roles:
        for key, content in kit_objects(plan, role).items():
            if bucket.get_bytes(key) != content:
                bucket.put_bytes(key, content)
    return {role: make(plan, role) for role in roles}


def bring_in_line(plan: FleetPlan, kits: Mapping[Role, bytes], fleet: Fleet, progress: Progress) -> None:
    """Run the kit on every host whose digest is another one, on all at once.

    FleetError, with the last lines of each that failed; what is set up already is not touched.
    """
    from hosts.kit import kit_digest  # noqa: PLC0415
    from hosts.plan import SETUP_DIGEST  # noqa: PLC0415

    wanted = {role: kit_digest(plan, role) for role in kits}

    def work(host: FleetHost) -> None:
        if host.connection.run(["cat", SETUP_DIGEST]).stdout.strip() == wanted[host.role]:
            progress.host(host.name, "set up already")
            return
        progress.host(host.name, "setting up")
        done = host.connection.run(
            ["sh", "-c", RUN], kits[host.role], timeout=SECONDS,
            on_stdout=lambda line: progress.host(host.name, line),
        )  # fmt: skip
        if done.code != 0:
            lines = [*done.stdout.splitlines(), *done.stderr.splitlines()][-12:]
            raise SlipwayError(
                f"{host.name}: setting it up failed: {lines[-1:] or ['no word']}", details=lines
            )
        progress.host(host.name, "set up")

    fleet.each([host for host in fleet.hosts if host.role in kits], work)
