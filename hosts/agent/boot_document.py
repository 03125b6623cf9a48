"""The boot document: everything that a host of one role needs to start the live release by itself.

Written by the pipeline (slipway/release/promote.py), read here. Fields, by JSON name: schema 2; stack; role;
fence and step of the command that made the release live; hold_seconds; and `stage`: the request of `stage`
without fence and step. The text is JSON `{signer, signature, document}`, where `document` is the document as
JSON and the signature is over these very bytes; or `zlib:` followed by that, compressed and in base64.
"""

from __future__ import annotations

from . import signature
from .errors import AgentError
from .host import Host, Paths
from .json_object import JsonObject
from .state import Process, order_of

SCHEMA = 2
PACKED = "zlib:"


class BootDocument:
    """The release that should be live on hosts of `role`."""

    def __init__(self, fields: JsonObject) -> None:
        schema = fields.whole("schema")
        if schema > SCHEMA:
            raise AgentError(
                "state_too_new",
                f"the boot document has schema {schema}, this agent knows {SCHEMA}: run `slipway up`",
            )
        self.role = fields.text("role")
        self.order = order_of(fields)
        self.hold_seconds = fields.number("hold_seconds", 3600)
        self.stage = fields.section("stage")
        self.release = self.stage.whole("release")

    @classmethod
    def parse(cls, paths: Paths, host: Host, text: str) -> BootDocument:
        """Read the secret's text, signed for this host's stack. Errors name fields, never values."""
        if text.startswith(PACKED):
            import base64
            import zlib

            try:
                text = zlib.decompress(base64.b64decode(text[len(PACKED) :])).decode()
            except (ValueError, zlib.error):
                raise AgentError("bad_request", "boot document: cannot be unpacked") from None
        signed = JsonObject.parse(text, "boot document")
        content, signer = signed.text("document", ""), signed.text("signer", "")
        given = signed.text("signature", "")
        if not signature.verifies(paths, content.encode(), given, signer, signature.BOOT):
            raise AgentError(
                "unsigned",
                f"the boot document is not signed by a key that this host knows ({signer or 'no signer'}): "
                "ship a release",
            )
        document = JsonObject.parse(content, "boot document")
        if document.text("stack", "") != host.fleet:
            raise AgentError("unsigned", f"the boot document is signed for another stack than {host.fleet}")
        return cls(document)

    def cron_kinds(self) -> list[str]:
        """Kinds of cron entries that hosts of `role` run: paths on web hosts, commands on workers if any."""
        manifest = self.stage.section("manifest")
        roles = {Process(name, given).role for name, given in manifest.table("processes").items()}
        owner = {
            "path": "web" if "web" in roles else "worker",
            "command": "worker" if "worker" in roles else "web",
        }
        wanted = {"command" if entry.has("command") else "path" for entry in manifest.table("cron").values()}
        return [kind for kind in ("path", "command") if kind in wanted and owner[kind] == self.role]
