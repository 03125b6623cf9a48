"""Repair: a damaged or lost ledger is rebuilt from its other objects and from what the hosts hold."""

from collections.abc import Mapping

from slipway.fleet.fleet import answers
from slipway.fleet.replies import Status
from slipway.progress import Progress
from slipway.settings import SlipwayError
from slipway.stack import LiveStack
from slipway.storage.repair import OnHosts, Rebuild, free_lease, needs_repair
from slipway.storage.survey import survey


def repair(stack: LiveStack, progress: Progress, *, wait_seconds: float = 0) -> list[str]:
    """What was repaired, a line for each object; empty: nothing was damaged."""
    statuses, failures = answers(stack.statuses)
    for name, why in failures.items():
        progress.host(name, f"could not be asked what it holds: {why}")
    hosts, name = on_hosts(statuses), stack.outputs.stack
    found = survey(stack.bucket, name)
    if not needs_repair(found, hosts):
        return []
    done = free_lease(stack.bucket, found, hosts)
    with stack.lease(wait_seconds) as lease:
        found = survey(stack.bucket, name)
        return done + Rebuild(stack.bucket, lease, found, hosts, lambda build: _describe(stack, build)).run()


def on_hosts(statuses: Mapping[str, Status]) -> OnHosts:
    """What the hosts' statuses say about releases."""
    slots = [slot for status in statuses.values() for slot in status.slots.values() if slot.release]
    return OnHosts(
        fence=max((status.fence for status in statuses.values()), default=0),
        held={slot.release: (slot.build or "", slot.config or "") for slot in slots if slot.release},
        serving={
            name: status.live.release
            for name, status in statuses.items()
            if "web" in status.role.split("+") and status.live and status.live.release
        },
    )


def _describe(stack: LiveStack, build: str) -> Mapping[str, object]:
    try:
        manifest = stack.manifest(build)
    except SlipwayError:
        return {}
    return {
        "schema_head": manifest.schema_head,
        "migrations": manifest.migrations_digest,
        "contracts": [each.id for each in manifest.migrations if each.contract],
        "git_sha": manifest.git.sha,
        "dirty": manifest.git.dirty,
    }
