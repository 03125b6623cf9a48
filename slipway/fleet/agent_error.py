"""A host agent's refusal or failure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from slipway.settings.errors import SlipwayError


class AgentError(SlipwayError):
    """The agent answered with an error. `code` is for programs, `log` the app's last lines (not redacted)."""

    def __init__(
        self,
        host: str,
        code: str,
        message: str,
        *,
        log: Sequence[str] = (),
        detail: Mapping[str, object] | None = None,
        remedy: str = "",
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.host, self.code = host, code
        self.log = list(log)
        self.detail = dict(detail or {})
        """What else the agent said: `needs` and `has` of a full disk, `newest` of a fence, …"""
