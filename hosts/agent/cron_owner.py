"""Which host runs the cron entries, where hosts come and go: the owner as long as it is there, then another.

Every host of the role that has a kind of entries rewrites its own object in the builds bucket every two
minutes, says in it whether it owns the entries or stands for them, and then looks at the others'. If nobody
owns them, the first by name takes them. Only the bucket's clock dates objects. An owner that could not look
for LAPSE seconds runs nothing any more, and the others wait for DEAD: who hangs or is cut off has let go
before another takes over. And nobody takes anything before each of the others has looked once more, and so
has seen it stand.
"""

from __future__ import annotations

import json
import os
import time

from . import cron, durable
from .announce import host_key
from .aws import Cloud
from .boot_document import BootDocument
from .errors import AgentError
from .fields import Fields
from .host import Host
from .paths import Paths
from .slot import Process, Slot
from .state import Exclusive, State

BEAT = 100.0
"""Seconds between two looks, at least: `converge` asks once a minute, and every second time it is due."""
LAPSE = 300.0
"""After so long without a look, a host runs no entry any more."""
DEAD = 360.0
"""An object that is so old is nobody's: its host has lapsed before."""
MARGIN = 15.0
"""From an object's date to its being seen by all, at most: longer than a write may take (aws.py)."""
OWNS, STANDS = "cron-owner", "cron"
"""Third word of the object, after the two of the ssh host key."""


class Seen:
    """Another host's object: when it was written, and whether it owns the entries or stands for them."""

    def __init__(self, name: str, modified: float, mark: str) -> None:
        self.name, self.modified, self.mark = name, modified, mark


class Lease:
    """What this host remembers of its last look: forgotten at a reboot, as it must be."""

    def __init__(self, fields: Fields) -> None:
        self.user_id = fields.text("user_id", "")
        self.looked = fields.number("looked", -DEAD)
        """When that look began, by the clock that runs since the host started."""
        self.stood = fields.number("stood", 0)
        """Since when it stands without a gap, by the bucket's clock; 0: it does not."""

    @classmethod
    def load(cls, paths: Paths) -> Lease:
        """As last saved; one that never looked, if there is none."""
        return cls(Fields.parse(durable.read(paths.cron_lease) or b"", "cron lease"))

    def save(self, paths: Paths) -> None:
        """For the next run."""
        os.makedirs(os.path.dirname(paths.cron_lease), exist_ok=True)
        durable.write(paths.cron_lease, json.dumps(vars(self)).encode(), sync=False)

    def holds(self, now: float) -> bool:
        """Is the last look recent enough to act by it?"""
        return now - self.looked < LAPSE


def kinds_of(document: BootDocument, role: str) -> list[str]:
    """Kinds of the release's entries that a host of `role` runs: paths on web hosts, commands on workers."""
    manifest = document.stage.section("manifest")
    roles = {Process(name, given).role for name, given in manifest.table("processes").items()}
    owner = {
        "path": "web" if "web" in roles else "worker",
        "command": "worker" if "worker" in roles else "web",
    }
    wanted = {"command" if entry.has("command") else "path" for entry in manifest.table("cron").values()}
    return [kind for kind in ("path", "command") if kind in wanted and owner[kind] == role]


def is_owner(own: str, stood: float, holding: bool, others: list[Seen], now: float) -> bool:
    """Pure. `holding`: does it own them so far? `others`: the role's other objects. Times: the bucket's."""
    alive = [each for each in others if now - each.modified < DEAD]
    if holding:
        return not any(each.mark == OWNS and each.name < own for each in alive)
    before = any(each.mark == OWNS or (each.mark == STANDS and each.name < own) for each in alive)
    return not before and all(each.modified > stood + MARGIN for each in alive)


def may_fire(paths: Paths, live: Slot) -> bool:
    """May this host still run entries? A switch gave them to it just now, or it has looked lately."""
    return Lease.load(paths).holds(_clock()) or time.time() - live.since < LAPSE


def let_go_if_lapsed(paths: Paths) -> None:
    """Take the timers off a host that could not look for too long."""
    state = State.load(paths)
    if state.cron_kinds and state.live and not may_fire(paths, state.live):
        _own(paths, [])


def look(paths: Paths, host: Host, cloud: Cloud, document: BootDocument) -> None:
    """Stand for the entries of the live release, and own them or not."""
    kinds, lease = kinds_of(document, host.role), Lease.load(paths)
    began = _clock()
    if not kinds or 0 <= began - lease.looked < BEAT:
        return
    state = State.load(paths)
    holding = bool(state.cron_kinds) and state.live is not None and may_fire(paths, state.live)
    lease.user_id = lease.user_id or cloud.user_id()
    try:
        modified, others, now = _stand(paths, host, cloud, lease.user_id, OWNS if holding else STANDS)
    except AgentError:
        # The others take a new date for a look: who could not look lets go, whether its date is new or not.
        _own(paths, [])
        raise
    lease.stood = lease.stood if lease.stood and lease.holds(began) else modified
    lease.looked = began
    lease.save(paths)
    _own(paths, kinds if is_owner(_name(lease.user_id), lease.stood, holding, others, now) else [])


def step_down(paths: Paths, host: Host, cloud: Cloud) -> None:
    """Tell the others that this host stands no more; if that fails, they find out by its silence."""
    lease = Lease.load(paths)
    if lease.stood and lease.user_id:
        lease.stood = 0
        lease.save(paths)
        cloud.put_object(host.builds().bucket, f"hosts/{lease.user_id}", f"{host_key(paths)}\n".encode())


def _stand(
    paths: Paths, host: Host, cloud: Cloud, user_id: str, mark: str
) -> tuple[float, list[Seen], float]:
    """Write the own object, then look: its date, the others, and the bucket's time."""
    bucket, own = host.builds().bucket, f"hosts/{user_id}"
    cloud.put_object(bucket, own, f"{host_key(paths)} {mark}\n".encode())
    dates, now = cloud.objects(bucket, f"{own.partition(':')[0]}:")
    if own not in dates:
        raise AgentError("cloud", f"{own} was written and is not listed")
    alive = {key: date for key, date in dates.items() if key != own and now - date < DEAD}
    others = [Seen(_name(key), date, _mark(cloud.object(bucket, key))) for key, date in alive.items()]
    return dates[own], others, now


def _mark(content: bytes | None) -> str:
    words = (content or b"").decode(errors="replace").split()
    return words[2] if len(words) > 2 else ""


def _name(user_id: str) -> str:
    """As the pipeline orders hosts: by the end of the instance's id, which their names end with."""
    return user_id[-8:]


def _own(paths: Paths, kinds: list[str]) -> None:
    if State.load(paths).cron_kinds == kinds:
        return
    with Exclusive(paths, "converge") as state:
        state.cron_kinds = kinds
        state.save()
        cron.sync(paths, state)


def _clock() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)
