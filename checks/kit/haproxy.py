"""What HAProxy on a host answers at its admin socket, and what it logs: testinfra has no module for them."""

from __future__ import annotations

import time
from collections.abc import Sequence

from checks.kit.check import could_not_be_tried
from checks.kit.hosts import Host, name_of
from checks.kit.on_host import read_by

SOCKET = "/run/haproxy/admin.sock"
DOES_NOT_RUN = "I3/the-set-up-is-unchanged"
"""The check that reports a unit which does not run."""
_ASK = """
import socket
with socket.socket(socket.AF_UNIX) as talk:
    talk.settimeout(5)
    try:
        talk.connect(path)
        talk.sendall(command.encode() + b"\\n")
        print(json.dumps(b"".join(iter(lambda: talk.recv(65536), b"")).decode()))
    except OSError:
        print("null")
"""


def ask(host: Host, command: str) -> str:
    """The answer to `command`, such as `show info`; ends the check if HAProxy does not answer."""
    answer = read_by(host, _ASK, path=SOCKET, command=command)
    if answer is None:
        could_not_be_tried(f"HAProxy on {name_of(host)} does not answer", DOES_NOT_RUN)
    return str(answer)


def logged(hosts: Sequence[Host], marks: Sequence[str], begin: str = "") -> str:
    """The last minute of HAProxy's log on `hosts`: lines that begin with `begin` and hold any of `marks`."""
    ends = time.monotonic() + 2
    while True:
        wanted = f"^{begin}.*({'|'.join(marks)})"
        command = f"journalctl -q --no-pager -o cat -t haproxy --since -1min | grep -E '{wanted}'"
        found = "".join(host.run(command).stdout for host in hosts)
        # Lines may be on their way for a moment.
        if all(mark in found for mark in marks) or time.monotonic() > ends:
            return found
        time.sleep(0.2)
