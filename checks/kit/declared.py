"""What the app declares for checks, or the word that it does not."""

from __future__ import annotations

from typing import Literal, cast

from checks.kit.site import Site
from checks.kit.verdict import not_evaluated


def declared_request(
    site: Site, key: Literal["signed_in", "admin", "malformed", "limited"]
) -> tuple[str, str]:
    """Method and path of a request that `[checks]` names; ends the check if it does not."""
    given = cast("str | None", getattr(site.live.app.checks, key))
    if given is None:
        not_evaluated(f"declare checks.{key} in slipway.toml")
    method, _, path = given.partition(" ")
    return method, path
