"""This machine as a host: commands run here, as the user who runs the tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from slipway.fleet.fleet import FleetHost
from slipway.fleet.process import Completed, Exchange


class _Connection:
    def run(self, argv: Sequence[str], stdin: bytes = b"", *, timeout: float | None = 60) -> Completed:
        return Exchange(list(argv)).run(stdin, timeout=timeout)


class _Here:
    name = "web-here"
    role = "web"
    connection = _Connection()


def here() -> FleetHost:
    """As code that works on a host takes it."""
    return cast("FleetHost", cast("object", _Here()))
