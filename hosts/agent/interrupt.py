"""A switch may cut a handover short that another command waits in: for an hour, if the drain time says so."""

from __future__ import annotations

import os
import signal

from .paths import Paths
from .state import State, holder


def interrupt_handover(paths: Paths, fence: int) -> None:
    """Stop a handover at work, if this fence may: the caller goes on with it, or takes it back."""
    state = State.load(paths)
    if not state.handover or fence < state.fence:
        return
    pid, working, _ = holder(paths)
    if working not in ("handover", "switch") or pid == os.getpid():
        return
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            if b"slipway-agent" in file.read():
                os.kill(pid, signal.SIGTERM)
    except (FileNotFoundError, ProcessLookupError):
        return
