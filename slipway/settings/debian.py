"""The releases of Debian that hosts may run, and what each one brings."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Debian:
    """One release."""

    suite: str
    python: str
    postgresql: int
    go: str
    """The newest version of Go in it or in its backports that versitygw can be built by."""

    @property
    def image(self) -> str:
        """Its small image in a registry."""
        return f"debian:{self.suite}-slim"


RELEASES = {12: Debian("bookworm", "3.11", 15, "1.23"), 13: Debian("trixie", "3.13", 17, "1.24")}
"""By version. Debian supports 12 until June 2028 and 13 until June 2030 (https://wiki.debian.org/LTS)."""
DEFAULT = 13
"""The version that new hosts get unless a setting says otherwise."""


def aws_image(architecture: str) -> str:
    """The newest machine image for `amd64` or `arm64`: a parameter that Debian keeps.

    https://wiki.debian.org/Cloud/AmazonEC2Image
    """
    return f"resolve:ssm:/aws/service/debian/release/{DEFAULT}/latest/{architecture}"


def release_of(suite: str) -> Debian:
    """The release called `suite`; for one that is not listed, the default."""
    return next((debian for debian in RELEASES.values() if debian.suite == suite), RELEASES[DEFAULT])
