"""What a host knows of each preview: one JSON file without secrets, written before anything else is made."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import time

from . import durable
from .errors import AgentError
from .host import Paths
from .json_object import JsonObject

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = r"[a-z]([a-z0-9-]{0,22}[a-z0-9])?"
TAKEN = re.compile(r"blue|green|uploads(-.*)?")
"""Names that a slot or a host name has already."""
TASKS = ("migrate", "task")
"""One-offs that a preview runs beside its processes; each has its own account."""
MOST = 100
FIRST_PORT = 23_000
LOCK_SECONDS = 900.0


class PreviewPaths(Paths):
    """Where previews keep their files: beside the releases' own, so that `prune` sees neither's."""

    def __init__(self, root: str = "") -> None:
        super().__init__(root)
        self.srv = f"{root}/srv/slipway/previews"
        self.layers = f"{self.srv}/layers"
        self.builds = f"{self.srv}/builds"
        self.slots = f"{self.srv}/slots"
        self.work = f"{self.srv}/unfinished"
        self.env = f"{self.srv}/env"
        self.records = f"{self.lib}/previews"
        self.previews_lock = f"{self.lib}/previews.lock"
        self.sites_map = f"{root}/etc/haproxy/previews.map"
        self.uploads_map = f"{root}/etc/haproxy/preview-uploads.map"

    def data(self, name: str) -> str:
        """The folder of a preview's Redis and S3 server."""
        return f"{self.srv}/data/{name}"

    def record(self, name: str) -> str:
        return f"{self.records}/{name}.json"

    def refuse_unless_ready(self) -> None:
        """Raises `no_previews` on a host that was not set up for them."""
        if not os.path.exists(self.sites_map):
            raise AgentError(
                "no_previews", "this host carries no previews: set slipway:previews, then `slipway up`"
            )


class Preview:
    """One preview. Times are seconds since 1970.

    state: opening → open → closing; failed: it was not opened, and what was made for it is still there.
    """

    def __init__(self, name: str, fields: JsonObject) -> None:
        self.name = name
        self.number = fields.whole("number")
        self.nonce = fields.text("nonce")
        """Tells this life of the name from earlier ones; its secrets follow from it."""
        self.state = fields.text("state", "opening")
        self.step = fields.text("step", "")
        self.build = fields.text("build", "")
        """The build that it runs; empty: none yet."""
        self.builds = {key: value.texts("layers") for key, value in fields.table("builds").items()}
        """By id, the layers of the build that it runs and of the one it is about to run."""
        self.scopes = fields.texts("scopes")
        """Processes and one-off scopes that have an account."""
        self.url = fields.text("url", "")
        self.opened = fields.number("opened", 0)
        self.updated = fields.number("updated", 0)
        """When a build was last opened under this name."""
        self.seeded = fields.flag("seeded")
        self.uploads = dict(fields.strings("uploads"))
        """`bucket` and `prefix` of its uploads, in a bucket that previews share; empty: it has none there."""
        self.error = dict(fields.section("error").raw)

    def to_json(self) -> dict[str, object]:
        """As stored."""
        builds = {build: {"layers": layers} for build, layers in self.builds.items()}
        return {**vars(self), "builds": builds}

    def port(self, offset: int) -> int:
        """0: web process, 1: Redis, 2: S3."""
        return ports_of(self.number)[offset]

    def scope(self, name: str) -> str:
        """The name of a process or scope on the host: with the number, no two previews share one."""
        return f"pv{self.number}-{name}"

    @property
    def database(self) -> str:
        """Its database, and the role that its two, `<name>_owner` and `<name>_app`, are members of."""
        return database_of(self.name)

    def save(self, paths: PreviewPaths, *, step: str = "") -> None:
        """Replace its record; it survives a power cut."""
        self.step = step
        os.makedirs(paths.records, mode=0o700, exist_ok=True)
        durable.write(paths.record(self.name), json.dumps(self.to_json()).encode())


def ports_of(number: int) -> tuple[int, int, int]:
    """The ports of preview `number`: its web process, its Redis, its S3 server."""
    first = FIRST_PORT + 10 * number
    return first, first + 1, first + 2


def database_of(name: str) -> str:
    """The database of the preview called `name`."""
    return "pv_" + name.replace("-", "_")


def check_name(name: str) -> str:
    """`name`, or `bad_request`."""
    if not re.fullmatch(NAME, name) or TAKEN.fullmatch(name):
        raise AgentError(
            "bad_request",
            f"{name!r} cannot name a preview: small letters, digits and hyphens, 24 at most, a letter first",
        )
    return name


def load(paths: PreviewPaths, name: str) -> Preview | None:
    """The preview called `name`, if there is one."""
    content = durable.read(paths.record(check_name(name)))
    return Preview(name, JsonObject.parse(content, f"preview {name}")) if content else None


def every(paths: PreviewPaths) -> list[Preview]:
    """All previews of the host, by name."""
    try:
        names = sorted(entry.removesuffix(".json") for entry in os.listdir(paths.records))
    except FileNotFoundError:
        return []
    found = (load(paths, name) for name in names if re.fullmatch(NAME, name))
    return [preview for preview in found if preview]


def new(paths: PreviewPaths, name: str) -> Preview:
    """A preview with a number that no other has. The caller saves it."""
    taken = {preview.number for preview in every(paths)}
    number = next((each for each in range(MOST) if each not in taken), None)
    if number is None:
        raise AgentError("too_many", f"this host carries {MOST} previews already: close one")
    fields: dict[str, object] = {"number": number, "nonce": os.urandom(16).hex(), "opened": time.time()}
    return Preview(check_name(name), JsonObject(fields, name))


class Locked:
    """`with Locked(paths, name, interrupt=True)`: no other command changes previews meanwhile.

    `interrupt`: a command that is still at work on the same preview is ended; it leaves what it has made.
    The kernel lets go of the lock when the process ends, so a killed one never leaves it behind.
    """

    def __init__(self, paths: PreviewPaths, name: str, *, interrupt: bool = False) -> None:
        self.paths = paths
        self.name = name
        self.interrupt = interrupt
        self._handle = -1

    def __enter__(self) -> None:
        os.makedirs(self.paths.lib, mode=0o700, exist_ok=True)
        self._handle = os.open(self.paths.previews_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            for waited in self._tries():
                try:
                    fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    self._look_at_holder(waited)
            os.ftruncate(self._handle, 0)
            os.pwrite(self._handle, f"{os.getpid()} {self.name}".encode(), 0)
        except BaseException:
            os.close(self._handle)
            raise

    def __exit__(self, *_: object) -> None:
        os.close(self._handle)

    def _tries(self) -> Iterator[float]:
        begun = time.monotonic()
        while True:
            yield time.monotonic() - begun
            time.sleep(0.1)

    def _look_at_holder(self, waited: float) -> None:
        words = os.pread(self._handle, 100, 0).decode().split()
        if len(words) == 2 and self.interrupt and words[1] == self.name:
            self.interrupt = False  # once: its clean-up is not to be interrupted
            try:
                os.kill(int(words[0]), signal.SIGTERM)
            except ProcessLookupError:
                return
        if waited > LOCK_SECONDS:
            who = words[1] if len(words) == 2 else "another"
            raise AgentError("busy", f"preview {who} has been changed for {waited:.0f} s; this waits for it")
