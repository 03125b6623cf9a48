"""One thing that preflight found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """`refuses` False is a warning: told, but no reason to stop."""

    text: str
    remedy: str = ""
    refuses: bool = True
