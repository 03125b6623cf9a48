"""The program could not be recorded."""

from __future__ import annotations

from slipway.settings.errors import SlipwayError


class ProgramFailed(SlipwayError):
    """The Pulumi program failed, or did what it must not: a look-up, a connection, a second use of a name."""

    exit_code = 1
