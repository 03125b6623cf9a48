"""The boot document: all that a host of one role needs to start the live release without being told.

Written by the pipeline (slipway/release/promote.py), read here. Fields, by JSON name:
schema 1; role; fence of the command that made the release live; hold_seconds; and `stage`: what the command
`stage` is asked, but for the fence. The text is JSON, or, with `zlib:` before it, that in zlib in base64.
"""

from __future__ import annotations

from .errors import AgentError
from .fields import Fields

SCHEMA = 1
PACKED = "zlib:"


class BootDocument:
    """What shall be live on hosts of `role`."""

    def __init__(self, fields: Fields) -> None:
        schema = fields.whole("schema")
        if schema > SCHEMA:
            raise AgentError(
                "state_too_new",
                f"the boot document has schema {schema}, this agent knows {SCHEMA}: run `slipway up`",
            )
        self.role = fields.text("role")
        self.fence = fields.whole("fence")
        self.hold_seconds = fields.number("hold_seconds", 3600)
        self.stage = fields.section("stage")
        self.release = self.stage.whole("release")

    @classmethod
    def parse(cls, text: str) -> BootDocument:
        """Read the secret's text. Errors name fields, never values."""
        if text.startswith(PACKED):
            import base64
            import zlib

            try:
                text = zlib.decompress(base64.b64decode(text[len(PACKED) :])).decode()
            except (ValueError, zlib.error):
                raise AgentError("bad_request", "boot document: cannot be unpacked") from None
        return cls(Fields.parse(text, "boot document"))
