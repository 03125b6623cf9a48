"""Names of the secret store's entries that hold certificates: PEM, with their keys."""

from __future__ import annotations

SITE = "SITE_CERTIFICATE"
"""The site's own, from a public authority: set by a person; certificate, chain and key in one text."""

CA_CERTIFICATE = "PLATFORM_CA_CERTIFICATE"
CA_KEY = "PLATFORM_CA_KEY"
"""The fleet's authority, which hosts trust."""
DATA_CERTIFICATE = "PLATFORM_DATA_CERTIFICATE"
"""Of the data host's services, by the fleet's authority."""
FLEET_SITE = "PLATFORM_SITE_CERTIFICATE"
"""Of the site, by the fleet's authority: shown while there is no SITE_CERTIFICATE."""
