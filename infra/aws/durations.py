"""How long a leaving host is given: of the app's own drains, so that no setting can be shorter than them."""

from __future__ import annotations

from hosts.agent.leave import DEREGISTER_SECONDS, NOTICE_SECONDS
from hosts.kit.user_data import PATIENCE_MINUTES
from slipway.settings.app import App
from slipway.settings.aws import LoadBalancer

SLACK = 30
"""Seconds beyond the app's own drain."""
_LONGEST_HOOK = 7200
"""The longest time-out of a hook that Auto Scaling takes, in seconds; the shortest is 30."""


def longest_drain(app: App, role: str) -> int:
    """Of the processes on hosts of `role`, in seconds; 0 if there are none."""
    return max((process.drain_seconds for process in app.on_role(role).values()), default=0)


def deregistration_seconds(settings: LoadBalancer, app: App) -> int:
    """From a host's leaving the target group to the end of its connections: as set, or drain plus slack."""
    if settings.deregistration_seconds is not None:
        return settings.deregistration_seconds
    return min(longest_drain(app, "web") + SLACK, 3600)


def leaving_seconds(app: App, role: str) -> int:
    """How long Auto Scaling waits for a host of `role` that leaves, before it is ended: at most 2 hours.

    The host notices, lets the load balancer turn away, and drains (hosts/agent/leave.py).
    """
    noticed = NOTICE_SECONDS + int(DEREGISTER_SECONDS)
    return min(noticed + longest_drain(app, role) + SLACK, _LONGEST_HOOK)


def boot_seconds(app: App, role: str) -> int:
    """From launch to ready: the machine, its set-up and the app's own boot."""
    slowest = max((process.boot_seconds for process in app.on_role(role).values()), default=0)
    return _MACHINE_SECONDS + slowest


def grace_seconds(app: App, role: str) -> int:
    """How long a new host may try to set itself up, before Auto Scaling takes its unreadiness for a failure.

    It gets no requests meanwhile; a shorter time would end hosts that still wait for what they need.
    """
    return PATIENCE_MINUTES * 60 + boot_seconds(app, role)


_MACHINE_SECONDS = 240
"""Boot, packages and kit of a new host: an allowance, not a measurement."""
