"""Ports of 127.0.0.1 for servers that tests start."""

from __future__ import annotations

import random
import socket
from collections import deque
from contextlib import suppress

_held: deque[socket.socket] = deque(maxlen=200)
"""Of the newest ports: bound, so no other test draws one before its server has started."""


def free_port() -> int:
    """A port that nothing uses, and that no other call gets, in this process or another one.

    It stays bound here without listening. A server binds it all the same if it sets SO_REUSEADDR, as all do.
    It is below the range of the kernel's own source ports: one of those may be gone before it is used.
    """
    while True:
        port, holder = random.randrange(12_000, 30_000), socket.socket()
        with suppress(OSError):
            # SO_REUSEADDR comes after it: with it, this would also succeed beside another holder.
            holder.bind(("127.0.0.1", port))
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            _held.append(holder)
            return port
        holder.close()
