"""What a pre-empted release waits for is cut short, and nothing is cut that does not belong to it."""

import queue
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from slipway.release.preempt import Preempted, stopping_at_loss
from slipway.storage.lease import Lease, LeaseLost
from tests.unit.storage.memory import MemoryBucket

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


def in_a_pool() -> object:
    with ThreadPoolExecutor() as pool:
        return pool.submit(time.sleep, 3).result()


WAITS: dict[str, Callable[[], object]] = {
    "sleep": lambda: time.sleep(60),
    "child process": lambda: subprocess.run(SLEEP, check=False),
    "queue": lambda: queue.Queue[None]().get(timeout=60),
    "threads": in_a_pool,
}


@pytest.mark.parametrize("wait", WAITS)
def test_it_stops_whatever_it_waits_for_within_seconds(wait: str):
    bucket = MemoryBucket()
    with Lease.acquire(bucket, "s", "ci", yields=True) as lease:
        Lease.acquire(bucket, "s", "ana@desk", preempts=True).release()
        began = time.monotonic()
        with pytest.raises(Preempted), stopping_at_loss(lease):
            WAITS[wait]()
        assert time.monotonic() - began < 10


def test_a_lease_that_was_lost_before_stops_it_at_the_start():
    bucket = MemoryBucket()
    with Lease.acquire(bucket, "s", "ci", yields=True) as lease:
        Lease.acquire(bucket, "s", "ana@desk", preempts=True).release()
        assert lease.lost.wait(5)
        with pytest.raises(LeaseLost), stopping_at_loss(lease):
            raise AssertionError("it went on")


def test_outside_of_it_a_loss_interrupts_nothing():
    bucket = MemoryBucket()
    with Lease.acquire(bucket, "s", "ci", yields=True) as lease:
        with stopping_at_loss(lease):
            pass
        Lease.acquire(bucket, "s", "ana@desk", preempts=True).release()
        assert lease.lost.wait(5)
        time.sleep(0.2)
    signal.raise_signal(signal.SIGUSR1)
