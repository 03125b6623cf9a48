"""Where a stack's secret values are kept: one interface, whatever the platform."""

import re
import secrets
from collections.abc import Iterable, Mapping
from typing import Protocol

from slipway.settings import BadInput
from slipway.settings.schema import NO_TEXT

SITE_CERTIFICATE = "SITE_CERTIFICATE"
"""Entry that a person sets where the fleet's own edge terminates TLS: certificate, chain and key, PEM."""
ACME_CLOUDFLARE_TOKEN = "ACME_CLOUDFLARE_TOKEN"  # noqa: S105 - the name of an entry, not its value
"""Entry that a person sets where slipway:acme proves names by DNS: it may edit the domain's zone."""
PLATFORM_PREFIXES = ("PLATFORM_", "SLIPWAY_")
"""Entries that `slipway up` makes for the platform and for itself (SLIPWAY_LOAD_KEY)."""
_NAME = re.compile(r"^[A-Z][A-Z0-9_]*$")


class SecretStore(Protocol):
    """A stack's secrets by name. Values are text; every method may raise BadInput."""

    def read(self) -> dict[str, str]:
        """All names and values; empty before the first `set`."""
        ...

    def names(self) -> list[str]: ...

    def set(self, name: str, value: str) -> None:
        """Adds or replaces one value."""
        ...

    def update(self, values: Mapping[str, str]) -> None:
        """Adds or replaces several values in one write."""
        ...

    def unset(self, name: str) -> None:
        """Removes one value; BadInput if it is not there."""
        ...


RANDOM_BYTES = 24
"""192 bits, in hex: fits URLs, configuration files and S3 clients without quoting."""


def ensure_random(store: SecretStore, names: Iterable[str]) -> dict[str, str]:
    """All values of `store`. Missing ones of `names` are made; one that is there is never changed."""
    held = store.read()
    made = {name: secrets.token_hex(RANDOM_BYTES) for name in names if not held.get(name)}
    if made:
        store.update(made)
    return {**held, **made}


def is_platform(name: str) -> bool:
    """True for entries that `slipway up` makes and `secrets list` hides without `--all`."""
    return name.startswith(PLATFORM_PREFIXES)


def app_names(names: Iterable[str]) -> list[str]:
    """`names` without those that `slipway up` makes."""
    return [name for name in names if not is_platform(name)]


class SharedStore(Protocol):
    """A store that several people open, each with a key of their own."""

    def recipients(self) -> dict[str, str]:
        """Public keys, and whose they are."""
        ...

    def mine(self) -> list[str]:
        """The public keys of whoever is at work."""
        ...

    def set_recipients(self, recipients: Mapping[str, str], *, seen: Mapping[str, str]) -> None:
        """Replace those that were `seen`. Raises BadInput if they are others by now."""
        ...


def refuse_bad_entry(name: str, value: str) -> None:
    """Raises BadInput, without the value, if `name` or `value` can be no environment variable."""
    if not _NAME.match(name):
        raise BadInput(
            f'"{name}" cannot be the name of a secret', remedy="capital letters, digits and underscores"
        )
    if not value:
        raise BadInput(f"{name}: the value is empty", remedy=f"to remove it: slipway secrets unset {name}")
    if "\0" in value:
        raise BadInput(f"{name}: the value holds a NUL byte, which no environment can carry")
    if found := NO_TEXT.search(value):
        raise BadInput(
            f"{name}: the value holds U+{ord(found[0]):04X}, which is no character",
            remedy="systemd would discard the whole environment for it; keep binary values as base64",
        )
