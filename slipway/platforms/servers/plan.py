"""What servers are set up with; the same on every machine that has the age key."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hosts.plan import FleetPlan
from slipway.platforms.fleet_setup.private_file import keep_private
from slipway.platforms.fleet_setup.s3_server import find_versitygw
from slipway.platforms.servers.entries import CA_CERTIFICATE, DATA_CERTIFICATE, FLEET_SITE, SITE
from slipway.settings.errors import BadInput
from slipway.settings.outputs import Outputs
from slipway.settings.project import Project


def fleet_plan(
    project: Project, outputs: Outputs, secrets: Mapping[str, str], versitygw: Path | None = None
) -> FleetPlan:
    """The plan. Certificates come from `secrets` and are laid into the state folder, 0600; none is made here.

    BadInput: the store lacks one, so `up` never came to its end.
    """
    folder = project.state_dir.resolve() / "tls"

    def laid(file: str, *entries: str) -> Path:
        text = next((secrets[entry] for entry in entries if secrets.get(entry)), None)
        if text is None:
            raise BadInput(
                f"the stack's secrets have no {entries[-1]}", remedy=f"slipway up --stack {outputs.stack}"
            )
        path = folder / file
        keep_private(path, text.strip().encode() + b"\n")
        return path

    return FleetPlan(
        outputs=outputs,
        app=project.app,
        stack=project.stack,
        secrets=secrets,
        ca_file=laid("ca.pem", CA_CERTIFICATE),
        site_pem=laid("site.pem", SITE, FLEET_SITE),
        host_pems={host.name: laid("data.pem", DATA_CERTIFICATE) for host in outputs.by_role("data")},
        versitygw=versitygw or find_versitygw(),
    )
