"""Whose ssh keys sign in to a host, beside the one that its provider placed: what `slipway access` granted.

The file of granted keys comes first in sshd's AuthorizedKeysFile: a key of CI that also stands in the user's
own ~/.ssh/authorized_keys is bound to the gate all the same.
"""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

from datetime import date, timedelta
from urllib.parse import urlsplit

from pyinfra.operations import files

from hosts.operations import install
from hosts.plan import FleetPlan
from hosts.render import verbatim
from slipway.settings import Host
from slipway.settings.access import Grant, grants

FOLDER = "/etc/slipway/keys"
GATE = "/usr/local/bin/slipway-gate"
"""Every command of a key of CI is an argument of this."""
KEYS = "granted keys"
"""The operation that places them. A set-up's digest leaves it out: granting a key is no set-up."""


def deploy(plan: FleetPlan, host: Host) -> None:
    """The gate, and the file of keys."""
    files.directory(name=FOLDER, path=FOLDER, mode="755")
    install(name=GATE, src=verbatim("base/gate.sh"), dest=GATE, mode="755")
    install(name=KEYS, src=authorized_keys(plan, host), dest=file_of(host))


def file_of(host: Host) -> str:
    """The file of keys that sign in as the ssh user of `host`; sshd knows it as FOLDER/%u."""
    return f"{FOLDER}/{host.ssh_user}"


def authorized_keys(plan: FleetPlan, host: Host) -> str:
    """The text of that file: a line a grant."""
    return "".join(f"{_line(plan, host, each)}\n" for each in grants(plan.secrets))


def _line(plan: FleetPlan, host: Host, grant: Grant) -> str:
    options = [*_bound(plan, host)] if grant.kind == "ci" else []
    if grant.expires:
        ends = date.fromisoformat(grant.expires) + timedelta(days=1)
        options.append(f'expiry-time="{ends:%Y%m%d}Z"')
    return " ".join([*([",".join(options)] if options else []), grant.key, grant.name])


def _bound(plan: FleetPlan, host: Host) -> list[str]:
    """What binds a key of CI: no terminal, no forwarding but to the builds bucket, and the gate."""
    builds = plan.outputs.builds
    ways = ["restrict"]
    if builds.tunnel == host.name and builds.endpoint:
        bucket = urlsplit(builds.endpoint)
        ways += ["port-forwarding", f'permitopen="{bucket.hostname}:{bucket.port}"']
    return [*ways, f'command="{GATE}"']
