"""How a WebSocket ended, and whether that was in order."""

from __future__ import annotations

import struct
from collections.abc import Sequence

__all__ = ["Ended", "goodbye"]

NO_CODE = 1005
"""RFC 6455 7.1.5: the close frame held none."""


class Ended(Exception):
    """The connection is over. `error` says what was wrong about that; None: it ended as it should."""

    def __init__(self, error: str | None = None, *, again: bool = True) -> None:
        super().__init__(error or "in order")
        self.error = error
        self.again = again
        """Does the user come back?"""


def goodbye(frame: bytes, orderly: Sequence[int]) -> Ended:
    """What the payload of a close frame means to a client for whom the codes `orderly` are a goodbye."""
    code = struct.unpack("!H", frame[:2])[0] if len(frame) >= 2 else NO_CODE
    return Ended() if code in orderly else Ended(f"close code {code}")
