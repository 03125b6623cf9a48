"""Hosts that are there already, brought in line by the kit that new ones set themselves up with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from slipway.fleet.fleet import Fleet, FleetHost
from slipway.progress import Progress
from slipway.settings.errors import SlipwayError
from slipway.settings.outputs import Role
from slipway.storage.bucket import Bucket

if TYPE_CHECKING:
    from hosts.kit.archive import PythonArchives
    from hosts.plan import FleetPlan

SECONDS = 1200
"""Packages may have to be installed."""

# The kit comes on standard input, and is gone when it has run.
RUN = (
    'kit="$(mktemp -d)" && trap \'rm -rf "$kit"\' EXIT && tar -xzf - -C "$kit" && python3 -I "$kit/setup.py"'
)


def publish_kits(plan: FleetPlan, bucket: Bucket, roles: tuple[Role, ...]) -> dict[Role, bytes]:
    """Put the kit of every role where new hosts find it. The archives, by role."""
    from hosts.kit.archive import kit_objects, make  # noqa: PLC0415 - pyinfra takes long to import

    python = ensure_python_packages(bucket)
    for role in roles:
        for key, content in kit_objects(plan, role, python).items():
            if bucket.get_bytes(key) != content:
                bucket.put_bytes(key, content)
    return {role: make(plan, role, python) for role in roles}


def ensure_python_packages(bucket: Bucket) -> PythonArchives:
    """Put the packages that hosts run pyinfra with in the bucket, unless they are there in these versions."""
    from hosts.kit.archive import PYTHON_INDEX, python_objects  # noqa: PLC0415
    from hosts.kit.python_packages import build_all, packages_digest  # noqa: PLC0415

    digest = packages_digest()
    index = json.loads(bucket.get_bytes(PYTHON_INDEX) or b"{}")
    if index.get("digest") != digest:
        for key, content in python_objects(build_all(), digest).items():
            bucket.put_bytes(key, content)
        index = json.loads(bucket.get_bytes(PYTHON_INDEX) or b"{}")
    return index["archives"]


def bring_in_line(plan: FleetPlan, kits: Mapping[Role, bytes], fleet: Fleet, progress: Progress) -> None:
    """Run the kit on every host whose digest is another one, on all at once.

    FleetError, with the last lines of each that failed; what is set up already is not touched.
    """
    from hosts.kit.archive import kit_digest  # noqa: PLC0415
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
