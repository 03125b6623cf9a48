"""What `slipway load` hands to each process of the generator, on its standard input: secrets are in it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from slipway.load.aim import Aim

__all__ = ["Handed", "handed_aim", "take"]


class Handed(BaseModel):
    """One line of JSON. A worker's machine needs nothing of the stack but this."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    aim: Aim = Field(repr=False)
    ca: str = ""
    """The site's CA in PEM, for a machine that does not have the file; empty: as the aim says."""


_handed: list[Aim] = []


def take(handed: Handed) -> Aim:
    """Aim this process, and all that it forks, as `handed` says."""
    aim = handed.aim
    if handed.ca:
        # Only a name in the aim survives a fork; the file is read once in each process, as it starts.
        file = Path(tempfile.mkdtemp(prefix="slipway-load-")) / "ca.pem"
        file.write_text(handed.ca)
        aim = aim.model_copy(update={"ca_file": str(file)})
    _handed[:] = [aim]
    return aim


def handed_aim() -> Aim | None:
    """Where this process was told to aim at; None: it has to read the stack by itself."""
    return _handed[0] if _handed else None
