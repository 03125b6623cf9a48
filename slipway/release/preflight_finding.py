"""One thing that preflight found."""

from __future__ import annotations

from dataclasses import dataclass

from slipway.settings.errors import BadInput, SlipwayError


@dataclass(frozen=True)
class Finding:
    """`refuses` False is a warning: told, but no reason to stop."""

    text: str
    remedy: str = ""
    refuses: bool = True
    error: type[SlipwayError] = BadInput
    """What to end with if this alone stands in the way."""
