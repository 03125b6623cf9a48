"""Which host owns the cron entries where hosts come and go: the current owner while it exists, then another.

Every host of the role that runs such entries writes an object of its own in the builds bucket every two
minutes. The object holds the host's ssh key and says whether the host owns the entries or is a candidate for
them. Then the host reads the others' objects; if none owns the entries, the first candidate by name takes
them. Objects are dated by the bucket's clock only. An owner that could not look for cron.LAPSE seconds stops
running entries, and the others wait for DEAD seconds: a host that hangs or is cut off has stopped before
another takes over. A candidate takes over only after each of the others has looked once more, and so has seen
that it is one.
"""

from __future__ import annotations

from . import cron, durable
from .aws import Cloud
from .errors import AgentError
from .host import Host, Paths
from .json_object import JsonObject
from .state import Exclusive, State

BEAT = 100.0
"""Minimum seconds between two looks; `converge` runs once a minute, so a host looks every second time."""
DEAD = 360.0
"""An object this old is stale: its host has already stopped running entries."""
MARGIN = 15.0
"""Seconds within which every host sees a new object: longer than a write may take (aws.py)."""
OWNS, STANDS = "cron-owner", "cron"
"""Third word of the object, after the two words of the ssh host key: owner, candidate."""


class Seen:
    """Another host's object: when it was written, and whether that host is the owner or a candidate."""

    def __init__(self, name: str, modified: float, mark: str) -> None:
        self.name, self.modified, self.mark = name, modified, mark


def is_owner(own: str, stood: float, holding: bool, others: list[Seen], now: float) -> bool:
    """Whether the host called `own` owns the entries. Pure.

    `holding`: does it own them so far? `others`: the objects of the role's other hosts. `stood` and `now` are
    by the bucket's clock.
    """
    alive = [each for each in others if now - each.modified < DEAD]
    if holding:
        return not any(each.mark == OWNS and each.name < own for each in alive)
    before = any(each.mark == OWNS or (each.mark == STANDS and each.name < own) for each in alive)
    return not before and all(each.modified > stood + MARGIN for each in alive)


def let_go_if_lapsed(paths: Paths) -> None:
    """Remove this host's timers if it could not look for too long."""
    state = State.load(paths)
    if state.cron_kinds and state.live and not cron.may_fire(paths, state.live):
        _own(paths, [])


def look(paths: Paths, host: Host, cloud: Cloud, kinds: list[str]) -> None:
    """Announce this host as candidate or owner of entries of `kinds`, look at the others, and decide."""
    lease = cron.Lease.load(paths)
    began = cron.clock()
    if not kinds or 0 <= began - lease.looked < BEAT:
        return
    state = State.load(paths)
    holding = bool(state.cron_kinds) and state.live is not None and cron.may_fire(paths, state.live)
    lease.user_id = lease.user_id or cloud.user_id()
    try:
        modified, others, now = _stand(paths, host, cloud, lease.user_id, OWNS if holding else STANDS)
    except AgentError:
        # The others take a new date for a look, so a host that could not look must give up its entries.
        _own(paths, [])
        raise
    lease.stood = lease.stood if lease.stood and lease.holds(began) else modified
    lease.looked = began
    lease.save(paths)
    _own(paths, kinds if is_owner(_name(lease.user_id), lease.stood, holding, others, now) else [])


def step_down(paths: Paths, host: Host, cloud: Cloud) -> None:
    """Announce that this host is no candidate any more; if that fails, its object becomes stale."""
    lease = cron.Lease.load(paths)
    if lease.stood and lease.user_id:
        lease.stood = 0
        lease.save(paths)
        cloud.put_object(host.builds().bucket, f"hosts/{lease.user_id}", f"{host_key(paths)}\n".encode())


def _stand(
    paths: Paths, host: Host, cloud: Cloud, user_id: str, mark: str
) -> tuple[float, list[Seen], float]:
    """Write the own object, then read the others'. Returns its date, the others, and the bucket's time."""
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
    """The end of the instance id, with which host names end: the pipeline orders hosts by it too."""
    return user_id[-8:]


def _own(paths: Paths, kinds: list[str]) -> None:
    if State.load(paths).cron_kinds == kinds:
        return
    with Exclusive(paths, "converge") as state:
        state.cron_kinds = kinds
        state.save()
        cron.sync(paths, state)


def publish_host_key(paths: Paths, host: Host, request: JsonObject) -> dict[str, object]:  # noqa: ARG001
    """`announce`: write the host's ssh key where only this host can write, so that operators can pin it."""
    cloud = Cloud(paths, host.region)
    user_id, key = cloud.user_id(), host_key(paths)
    cloud.put_object(host.builds().bucket, f"hosts/{user_id}", f"{key}\n".encode())
    return {"user_id": user_id, "host_key": key}


def host_key(paths: Paths) -> str:
    """`ssh-ed25519 AAAA…`, without a comment."""
    words = (durable.read(paths.host_key) or b"").decode().split()
    if len(words) < 2 or words[0] != "ssh-ed25519":
        raise AgentError("not_set_up", f"{paths.host_key} holds no ssh-ed25519 key")
    return " ".join(words[:2])
