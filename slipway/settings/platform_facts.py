"""What settings and outputs know about each platform: one table, by the platform's name.

What a platform does is in slipway/platforms; this is what can be said without it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PlatformName = Literal["local", "servers", "aws"]


@dataclass(frozen=True)
class PlatformFacts:
    """One platform."""

    sections: tuple[str, ...]
    """Keys of a stack's settings that no other platform reads."""
    needs_domain: bool = True
    """Is the site's name the user's own? A local fleet may be `localhost`."""
    containers: bool = False
    """Are hosts containers that share the operator's kernel and clock?"""
    managed: bool = False
    """Are load balancer, database and Redis the provider's, and do hosts come and go by themselves?"""


PLATFORMS: dict[PlatformName, PlatformFacts] = {
    "local": PlatformFacts(sections=("local",), needs_domain=False, containers=True),
    "servers": PlatformFacts(sections=("servers",)),
    "aws": PlatformFacts(sections=("aws", "cloudflare"), managed=True),
}


def facts_of(platform: PlatformName) -> PlatformFacts:
    """The row of `platform`."""
    return PLATFORMS[platform]


def section_owners() -> dict[str, PlatformName]:
    """By section of the settings, the platform that reads it."""
    return {section: name for name, facts in PLATFORMS.items() for section in facts.sections}
