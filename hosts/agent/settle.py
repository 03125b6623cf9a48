"""What every changing command does first: finish what a killed one left half done."""

from __future__ import annotations

from . import haproxy
from .host import Host
from .paths import Paths
from .state import State


def settle(paths: Paths, host: Host, state: State, *, keep_handover: bool = False) -> None:
    """Make HAProxy follow state.json, and finish an interrupted handover of workers."""
    if host.serves:
        haproxy.apply(paths, state)
    if state.handover and not keep_handover:
        from . import handover

        handover.finish(paths, host, state)
