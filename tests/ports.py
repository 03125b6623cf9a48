"""Ports of 127.0.0.1 for servers that tests start."""

from __future__ import annotations

import random
import socket
from collections import deque

_held: deque[socket.socket] = deque(maxlen=200)
"""Of the newest ports: bound, so no other test draws one before its server has started."""
SSH_PORTS = 26
"""Ports that a local fleet may use for ssh, in a row from `ssh_port`."""


def free_port() -> int:
    """A port that nothing uses, and that no other call gets, in this process or another one.

    It stays bound here without listening. A server binds it all the same if it sets SO_REUSEADDR, as all do.
    It is below the range of the kernel's own source ports: one of those may be gone before it is used.
    """
    return _first_of(1, range(12_000, 30_000))


def local_fleet_ports() -> dict[str, int]:
    """Free ports for every port that `slipway:local` asks for, as those of `free_port`.

    No `free_port` is among them: a fleet's host that is down gets its ports back.
    """
    keys = ("https_port", "http_port", "uploads_port", "ssh_port")
    first = _first_of(len(keys) - 1 + SSH_PORTS, range(30_000, 32_000))
    return {key: first + place for place, key in enumerate(keys)}


def _first_of(count: int, among: range) -> int:
    """The first of `count` ports in a row, each free and now held."""
    while True:
        first = random.randrange(among.start, among.stop - count + 1)
        holders = [socket.socket() for _ in range(count)]
        try:
            for port, holder in enumerate(holders, first):
                # SO_REUSEADDR comes after it: with it, this would also succeed beside another holder.
                holder.bind(("127.0.0.1", port))
                holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        except OSError:
            for holder in holders:
                holder.close()
        else:
            _held.extend(holders)
            return first
