"""Waiting for hosts: an instance takes minutes from its start to being a host that can be worked with."""

from __future__ import annotations

import time

from slipway.platforms.aws.open import Opened, with_hosts
from slipway.progress import Progress
from slipway.settings.errors import NeedsPerson
from slipway.settings.outputs import Outputs
from slipway.settings.project import Project

SECONDS = 900
POLL_SECONDS = 5.0


def wait_for_hosts(project: Project, outputs: Outputs, progress: Progress) -> Opened:
    """The outputs with all hosts, once none is still starting; NeedsPerson names those that never come."""
    ends = time.monotonic() + SECONDS
    told: dict[str, str] = {}
    while True:
        opened = with_hosts(project, outputs)
        for name, why in opened.absent.items():
            if told.get(name) != why:
                progress.host(name, why)
        told = dict(opened.absent)
        if not opened.starting and opened.outputs.hosts:
            return opened
        if time.monotonic() > ends:
            late = ", ".join(opened.starting) or "any host"
            raise NeedsPerson(
                f"{late} did not become ready within {SECONDS // 60} minutes",
                details=[f"{name}: {why}" for name, why in opened.absent.items()],
                remedy="the instance's system log in the EC2 console says how far its set-up came",
            )
        time.sleep(POLL_SECONDS)
