"""Refuses every connection of this process: a program body that needs the network fails here, loudly."""

from __future__ import annotations

import sys
from typing import Any

from infra.recording.program_error import ProgramFailed

_REFUSED = {
    "socket.connect",
    "socket.getaddrinfo",
    "socket.gethostbyname",
    "socket.sendto",
    "subprocess.Popen",
}

attempts: list[str] = []
"""What was refused: also if the program swallowed the error, the recording fails."""


def go_offline() -> None:
    """From now on, for the rest of this process. There is no way back (`sys.addaudithook`)."""
    sys.addaudithook(_refuse)


def _refuse(event: str, args: tuple[Any, ...]) -> None:
    if event in _REFUSED:
        what = " ".join(str(each) for each in args[-1:]) if event != "subprocess.Popen" else str(args[1])
        attempts.append(f"{event} {what}")
        raise ProgramFailed(
            f"the program body reached outside: {event} {what}",
            remedy="take what it needs from the stack's settings: the program body makes no network call",
        )
