"""What the provider at hand (5.x) has not, and the SDK (v7, which is the provider's 6.x) has."""

from __future__ import annotations

DROPPED: dict[tuple[str, str], str] = {
    ("*", "region"): "every resource can name its region since 6.0; before, the provider's counts",
}
"""By Terraform's type (`*`: all) and the SDK's name in snake_case: why it is left out."""


def is_dropped(kind: str, name: str) -> bool:
    """Is this argument one that only the newer provider knows?"""
    return ("*", name) in DROPPED or (kind, name) in DROPPED
