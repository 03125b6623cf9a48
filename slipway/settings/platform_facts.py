"""What the settings know about each platform: one table, by the platform's name.

What a platform does is in slipway/platforms.
"""

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
    keeps_keys_here: bool = False
    """Are the stack's secrets and signers in its state folder, and not committed?"""


PLATFORMS: dict[PlatformName, PlatformFacts] = {
    "local": PlatformFacts(sections=("local",), needs_domain=False, keeps_keys_here=True),
    "servers": PlatformFacts(sections=("servers", "acme")),
    "aws": PlatformFacts(sections=("aws", "cloudflare")),
}


def facts_of(platform: PlatformName) -> PlatformFacts:
    """The row of `platform`."""
    return PLATFORMS[platform]


def section_owners() -> dict[str, PlatformName]:
    """By section of the settings, the platform that reads it."""
    return {section: name for name, facts in PLATFORMS.items() for section in facts.sections}
