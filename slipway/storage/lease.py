"""The lease: the deploy lock of a stack, which expires, with a fence that only ever grows.

The lease object is never deleted. Released, it stays as a tombstone with its fence, so that the next holder's
is greater. Whether it has expired is judged by the bucket's clock.

A release holds a lease that yields: a rollback pre-empts it, which is to take the lease before it expires. No
other lease yields. A rollback that runs is what a second one would want, and two would go back two releases.
"""

import getpass
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from slipway.settings import LeaseHeld, SlipwayError
from slipway.storage.bucket import Bucket, BucketError, Conflict, Damaged
from slipway.storage.records import Head, Stored, head_key

TTL_SECONDS = 30.0
_CLOCK_SLACK_SECONDS = 2.0
"""Estimates of the bucket's time differ: the holder stops this much earlier, others begin this much later."""
_POLL_SECONDS = 0.5
_RELEASE_SECONDS = 10.0
"""How long a command that has ended tries to release; without that the next one has to wait for longer."""
_WATCH_SECONDS = 1.0
"""How often the holder of a lease that yields looks whether it was taken."""


class LeaseLost(SlipwayError):
    """This command's lease expired or was taken over: it must not change anything any more."""


class LeaseRecord(Stored):
    """The lease as stored in the bucket. Times are seconds since 1970 by the bucket's clock."""

    fence: int
    owner: str
    command: str = ""
    acquired: float
    heartbeat: float
    expires: float
    released: bool = False
    yields: bool = False
    """May a rollback take it before it expires?"""
    nonce: str
    """Distinguishes the writes of two holders if an answer was lost."""

    def is_free(self, now: float) -> bool:
        """Whether another command may take the lease."""
        return self.released or now > self.expires + _CLOCK_SLACK_SECONDS


def lease_key(stack: str) -> str:
    """Key of a stack's lease in the builds bucket."""
    return f"stacks/{stack}/lease.json"


def read_lease(bucket: Bucket, stack: str) -> LeaseRecord | None:
    """The stack's current lease; None if it is free."""
    record = read_last_lease(bucket, stack)
    return record if record and not record.is_free(bucket.server_time()) else None


def read_last_lease(bucket: Bucket, stack: str) -> LeaseRecord | None:
    """The newest lease of the stack, even if it is free by now; None if there never was one."""
    found = bucket.get_json(lease_key(stack))
    return LeaseRecord.read(lease_key(stack), found[0]) if found else None


class Lease:
    """A held lease, kept alive by a thread until `release`. A context manager: leaving it releases."""

    def __init__(self, bucket: Bucket, stack: str, record: LeaseRecord, etag: str, ttl: float) -> None:
        """Use `acquire`."""
        self._bucket, self._stack, self._ttl = bucket, stack, ttl
        self._record, self._etag = record, etag
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self.lost = threading.Event()
        """Set as soon as another command may have taken the lease."""
        self.on_loss: Callable[[], object] | None = None
        """Called once when the loss is noticed, by the thread that keeps the lease alive."""
        self.preempted: LeaseRecord | None = None
        """The lease that this one took before it had expired."""
        self._beat = threading.Thread(target=self._keep, name="lease-heartbeat", daemon=True)
        self._beat.start()

    @classmethod
    def acquire(
        cls,
        bucket: Bucket,
        stack: str,
        owner: str,
        *,
        command: str = "",
        ttl: float = TTL_SECONDS,
        wait_seconds: float = 0,
        yields: bool = False,
        preempts: bool = False,
    ) -> Self:
        """Take the stack's lease. `yields`: a rollback may take it; `preempts`: take one that yields at once.

        Pre-empting is one conditional write with a greater fence: from then on the holder can neither renew
        the lease nor, once this command has written the head and reached the hosts, change anything.
        Raises LeaseHeld if another command holds it for longer than `wait_seconds`.
        """
        deadline = time.monotonic() + wait_seconds
        nonce = secrets.token_hex(8)
        while True:
            found = bucket.get_json(lease_key(stack))
            now = bucket.server_time()
            held = LeaseRecord.read(lease_key(stack), found[0]) if found else None
            if held is None or held.is_free(now) or (preempts and held.yields):
                fence = held.fence + 1 if held else _fence_without_lease(bucket, stack, now)
                record = LeaseRecord(
                    fence=fence,
                    owner=owner,
                    command=command,
                    acquired=now,
                    heartbeat=now,
                    expires=now + ttl,
                    yields=yields,
                    nonce=nonce,
                )
                try:
                    etag = bucket.put_json(
                        lease_key(stack),
                        record.model_dump(),
                        if_match=found[1] if found else None,
                        if_none_match=found is None,
                    )
                except Conflict:
                    continue  # another command was quicker: read again
                taken = cls(bucket, stack, record, etag, ttl)
                taken.preempted = held if held and not held.is_free(now) else None
                return taken
            if time.monotonic() >= deadline:
                raise _held_by(held, stack, now)
            time.sleep(min(_POLL_SECONDS, max(0.01, deadline - time.monotonic())))

    @property
    def fence(self) -> int:
        """This holder's number, greater than that of every earlier holder."""
        return self._record.fence

    @property
    def owner(self) -> str:
        """The holder, as given to `acquire`."""
        return self._record.owner

    def check(self) -> int:
        """The fence if the lease is still held; raises LeaseLost otherwise. Sends no request."""
        if not self.lost.is_set() and self._bucket.server_time() > self._expires:
            self.lost.set()
        if self.lost.is_set() or self._record.released:
            raise LeaseLost(
                f"this command no longer holds the lease of stack {self._stack}",
                remedy=f"`slipway status --stack {self._stack}` says who works on it; run the command again",
            )
        return self.fence

    def release(self) -> None:
        """Release the lease, so that the next command need not wait. Safe to call twice, and after a loss."""
        self._stop.set()
        if threading.current_thread() is not self._beat:
            self._beat.join(timeout=5)
        with self._lock:
            if self._record.released or self.lost.is_set():
                return
            now = self._bucket.server_time()
            self._record = self._record.model_copy(update={"released": True, "expires": now})
            ends = time.monotonic() + _RELEASE_SECONDS
            while True:
                try:
                    self._bucket.put_json(
                        lease_key(self._stack), self._record.model_dump(), if_match=self._etag
                    )
                    return
                except Conflict:
                    break  # taken by a newer command, or released already by a request whose answer was lost
                except BucketError:
                    if time.monotonic() > ends:
                        break  # it expires by itself
                    time.sleep(_POLL_SECONDS)
            self.lost.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    @property
    def _expires(self) -> float:
        return self._record.expires - _CLOCK_SLACK_SECONDS

    def _keep(self) -> None:
        pause, renewed = self._ttl / 3, time.monotonic()
        while not self._stop.wait(min(pause, _WATCH_SECONDS) if self._record.yields else pause):
            if self.lost.is_set():
                return
            try:
                with self._lock:
                    if time.monotonic() - renewed < pause:
                        self._watch()
                    else:
                        self._renew()
                        pause, renewed = self._ttl / 3, time.monotonic()
            except BucketError:
                pause = min(1.0, self._ttl / 10)  # retry until it expires
                if self._bucket.server_time() > self._expires:
                    self.lost.set()
            except BaseException:
                self.lost.set()  # without a heartbeat it expires soon
                raise
            if self.lost.is_set() and self.on_loss is not None:
                self.on_loss()

    def _watch(self) -> None:
        there = read_last_lease(self._bucket, self._stack)
        if there is None or (there.fence, there.nonce) != (self._record.fence, self._record.nonce):
            self.lost.set()

    def _renew(self) -> None:
        now = self._bucket.server_time()
        renewed = self._record.model_copy(update={"heartbeat": now, "expires": now + self._ttl})
        try:
            self._etag = self._bucket.put_json(
                lease_key(self._stack), renewed.model_dump(), if_match=self._etag
            )
            self._record = renewed
        except Conflict:
            try:
                found = self._bucket.get_json(lease_key(self._stack))
                there = LeaseRecord.read(lease_key(self._stack), found[0]) if found else None
            except Damaged:
                found = there = None
            if found and there and (there.fence, there.nonce) == (self._record.fence, self._record.nonce):
                self._record, self._etag = there, found[1]  # our own write, whose answer was lost
            else:
                self.lost.set()


def _fence_without_lease(bucket: Bucket, stack: str, now: float) -> int:
    """The first fence, or, if the head knows of commands, one greater than any that was handed out.

    Someone deleted the lease then. The head knows only fences of commands that wrote it, so the fence is
    the time in milliseconds: fewer commands have begun.
    """
    key = head_key(stack)
    found = bucket.get_json(key)
    return max(Head.read(key, found[0]).fence + 1, int(now * 1000)) if found else 1


def _held_by(held: LeaseRecord, stack: str, now: float) -> LeaseHeld:
    def clock(at: float) -> str:
        return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S UTC")

    what = f" (`{held.command}`)" if held.command else ""
    return LeaseHeld(
        f"stack {stack} is held by {held.owner}{what} since {clock(held.acquired)}, "
        f"until {clock(held.expires)} unless it is renewed (last {max(0, now - held.heartbeat):.0f} s ago)",
        remedy="wait for it to end (--wait SECONDS), or end that command: its lease then expires by itself",
    )


def current_actor() -> str:
    """`user@machine`, or in GitHub Actions the person and the run. Recorded in the audit trail (X17)."""
    if os.environ.get("GITHUB_ACTIONS") == "true":
        who = os.environ.get("GITHUB_ACTOR", "unknown")
        return f"{who}@github-run-{os.environ.get('GITHUB_RUN_ID', '0')}"
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a uid without a name, as in some containers
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def current_owner() -> str:
    """The actor with its process id, as recorded in the lease."""
    return f"{current_actor()} pid {os.getpid()}"
