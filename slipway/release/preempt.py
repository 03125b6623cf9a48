"""A release that a rollback pre-empts stops at once, whatever it is waiting for."""

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

from slipway.storage.lease import Lease, LeaseLost


class Preempted(KeyboardInterrupt):
    """Another command has taken the lease. No handler of errors takes it for the failure of a host."""


@contextmanager
def stopping_at_loss(lease: Lease) -> Generator[None]:
    """While inside, the loss of the lease raises Preempted in the main thread, as Ctrl-C raises its base.

    A build, a boot, an observation window or a load test would otherwise go on for minutes after a rollback
    has taken over. Does nothing in another thread than the main one, where each phase begins with a check.
    """
    main = threading.main_thread()
    if threading.current_thread() is not main or main.ident is None:
        yield
        return
    ident, is_inside = main.ident, True

    def stop(signum: int, frame: FrameType | None) -> None:
        del signum, frame
        if is_inside:
            try:
                lease.check()
            except LeaseLost as lost:
                raise Preempted(lost.message) from None

    # The handler stays: without one, a signal that is under way at the end would end the process.
    signal.signal(signal.SIGUSR1, stop)
    lease.on_loss = lambda: signal.pthread_kill(ident, signal.SIGUSR1)
    try:
        lease.check()  # it may be lost already
        yield
    finally:
        is_inside, lease.on_loss = False, None
