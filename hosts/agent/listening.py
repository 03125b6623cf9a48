"""Where a unit's processes listen, for an app that took another port than it was given."""

from __future__ import annotations

import os
import socket

_LISTENS = "0A"
"""TCP_LISTEN in /proc/net/tcp."""


def addresses(pids: list[int]) -> list[str]:
    """`127.0.0.1:3000`, `[::]:8080`, …: what the processes accept connections on, sorted."""
    sockets = {inode for pid in pids for inode in _sockets(pid)}
    found = {
        address
        for pid in pids[:1]
        for table in ("tcp", "tcp6")
        for address, inode in _table(f"/proc/{pid}/net/{table}")
        if inode in sockets
    }
    return sorted(found)


def hint(pids: list[int], port: int) -> str:
    """What to change, if the processes listen, but not on 127.0.0.1 and `port`; else an empty text."""
    found = addresses(pids)
    if not found or any(each in (f"127.0.0.1:{port}", f"0.0.0.0:{port}", f"[::]:{port}") for each in found):
        return ""
    return f"it listens on {', '.join(found)}, not on $HOST:$PORT, which is 127.0.0.1:{port}"


def _sockets(pid: int) -> list[str]:
    inodes: list[str] = []
    try:
        for name in os.listdir(f"/proc/{pid}/fd"):
            target = os.readlink(f"/proc/{pid}/fd/{name}")
            if target.startswith("socket:["):
                inodes.append(target[8:-1])
    except OSError:
        pass  # it has ended
    return inodes


def _table(path: str) -> list[tuple[str, str]]:
    """Address and inode of each listening socket."""
    try:
        with open(path, encoding="ascii") as file:
            rows = [line.split() for line in file.readlines()[1:]]
    except OSError:
        return []
    return [(_address(row[1]), row[9]) for row in rows if row[3] == _LISTENS]


def _address(text: str) -> str:
    """The kernel writes addresses as words of the machine's own byte order."""
    raw, _, port = text.partition(":")
    words = [bytes.fromhex(raw[at : at + 8])[::-1] for at in range(0, len(raw), 8)]
    if len(words) == 1:
        return f"{socket.inet_ntop(socket.AF_INET, words[0])}:{int(port, 16)}"
    return f"[{socket.inet_ntop(socket.AF_INET6, b''.join(words))}]:{int(port, 16)}"
