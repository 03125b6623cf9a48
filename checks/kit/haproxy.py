"""What HAProxy on a host answers at its admin socket; testinfra has no module for it."""

from __future__ import annotations

from checks.kit.hosts import Host
from checks.kit.on_host import read_by

SOCKET = "/run/haproxy/admin.sock"
_ASK = """
import socket
with socket.socket(socket.AF_UNIX) as talk:
    talk.settimeout(5)
    talk.connect(path)
    talk.sendall(command.encode() + b"\\n")
    print(json.dumps(b"".join(iter(lambda: talk.recv(65536), b"")).decode()))
"""


def ask(host: Host, command: str) -> str:
    """The answer to `command`, such as `show info`. RuntimeError: nothing answers."""
    return read_by(host, _ASK, path=SOCKET, command=command)
