"""Taking effect: a service reloads or restarts when its files are not those it last took up.

What was taken up is kept on the host, per service, so that a set-up that was cut off between placing a
file and reloading its service is finished by the next one. Effects are data: pyinfra carries them out over
ssh (hosts/carry_out.py), a set-up kit from within the host (hosts/kit).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hosts.file import HostFile

TAKEN_UP = "/var/cache/slipway/taken-up"
"""On the disk that /etc is on: a host made anew around its old data has taken up nothing."""

Placed = Mapping[str, HostFile]
"""All files of a host by path."""


@dataclass(frozen=True)
class TakeUp:
    """`command` runs unless the host keeps `digest` under `kept_as`."""

    name: str
    digest: str
    command: str

    @property
    def kept_as(self) -> str:
        """File in `TAKEN_UP`."""
        return self.name.replace(" ", "-")


@dataclass(frozen=True)
class Units:
    """`running` run now and after every boot; `at_boot` start at boot only; `never` do neither."""

    running: tuple[str, ...]
    at_boot: tuple[str, ...] = ()
    never: tuple[str, ...] = ()


Effect = TakeUp | Units


def take_up(name: str, files: Sequence[HostFile], command: str) -> TakeUp:
    """Run `command` unless `name` has taken up just these files (and this command) before."""
    states = [f"{file.path} {file.state}" for file in files]
    digest = hashlib.sha256("\n".join([command, *states]).encode()).hexdigest()
    return TakeUp(name, digest, command)


def running(*units: str, at_boot: Sequence[str] = (), never: Sequence[str] = ()) -> Units:
    """`units` run now and after every boot; `at_boot` start at boot only; `never` do neither."""
    return Units(units, tuple(at_boot), tuple(never))
