"""What stops a translation."""

from __future__ import annotations


class Unknown(AssertionError):
    """A resource, argument or attribute that the provider's schema does not have."""
