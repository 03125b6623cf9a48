"""The digest of all that setting up a host would do: if the host has it, there is nothing to do."""

from __future__ import annotations

import hashlib
import hmac
from functools import cache
from pathlib import Path

from hosts import deploy as roles
from hosts.plan import FleetPlan
from slipway.settings.outputs import Host


def setup_digest(plan: FleetPlan, host: Host) -> str:
    """64 hex characters over packages, files and the set-up's own code.

    Files hold secrets, so theirs is keyed by the load key: who reads it can test no guess.
    """
    key = plan.secret(plan.outputs.load_header_secret).encode()
    digest = hmac.new(key, _code(), hashlib.sha256)
    digest.update("\n".join(roles.packages(plan, host)).encode())
    for file in roles.files(plan, host):
        digest.update(f"{file.path} {file.state}\n".encode())
    return digest.hexdigest()


@cache
def _code() -> bytes:
    here = Path(__file__).parent
    sources = [*here.glob("*.py"), *here.glob("data/*.py")]
    return b"".join(path.read_bytes() for path in sorted(sources))
