"""The timer that retires: once a minute it asks state.json what is due, so that a reboot forgets nothing."""

from __future__ import annotations

import os

from . import durable, systemd
from .paths import Paths

NAME = "slipway-retire.timer"
_FILES = {
    NAME: """\
[Unit]
Description=slipway: look for a slot whose hold time is over

[Timer]
OnActiveSec=1min
OnUnitInactiveSec=1min
AccuracySec=5s
""",
    "slipway-retire.service": """\
[Unit]
Description=slipway: drain the slot whose hold time is over

[Service]
Type=oneshot
ExecStart=/usr/local/bin/slipway-agent retire
StandardInput=null
StandardOutput=null
SyslogIdentifier=slipway-agent
TimeoutStartSec=infinity
""",
}


def ensure(paths: Paths) -> None:
    """Install and start the timer unless this agent's version of it is there; restore starts it at boot."""
    os.makedirs(paths.units, exist_ok=True)
    stale = [name for name, text in _FILES.items() if durable.read(paths.unit(name)) != text.encode()]
    for name in stale:
        durable.write(paths.unit(name), _FILES[name].encode(), 0o644)
    if stale:
        systemd.reload()
        systemd.start([NAME])


def start(paths: Paths) -> None:
    """Start it, if it was ever installed."""
    if os.path.exists(paths.unit(NAME)):
        systemd.start([NAME])
