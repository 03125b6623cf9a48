"""The machines that take part in a load test, looked at before anything is sent."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from slipway.load.aim import Aim
from slipway.load.worker_host import Look, WorkerHost
from slipway.settings.errors import BadInput

__all__ = ["look_at"]


def look_at(hosts: Sequence[WorkerHost], aim: Aim, root: Path) -> list[tuple[WorkerHost, Look]]:
    """All at once; what is wrong with any is told before anything is sent."""
    if not hosts:
        return []
    if aim.address[0] in ("127.0.0.1", "::1", "localhost") and not all(host.is_here for host in hosts):
        raise BadInput(
            f"stack {aim.stack} is on this machine's loopback, which no other machine reaches",
            remedy="leave --workers out; more processes here: --processes",
        )
    with ThreadPoolExecutor(len(hosts)) as pool:
        looks = list(pool.map(WorkerHost.look, hosts))
    for host, look in zip(hosts, looks, strict=True):
        if look.lack:
            raise BadInput(
                f"worker {host}: {', '.join(look.lack)} is not installed in {host.folder}",
                remedy=f"there: cd {host.folder} && uv sync --group load",
            )
    others = sorted({look.commit for look in looks} - {_commit(root)})
    if others:
        sys.stderr.write(f"warning: workers run other code than this clone: {', '.join(others)}\n")
    return list(zip(hosts, looks, strict=True))


def _commit(root: Path) -> str:
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=False)
    return done.stdout.strip()
