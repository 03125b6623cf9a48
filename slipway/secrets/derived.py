"""Secrets of a preview: they follow from its fleet's key and from the preview's life, so none is stored."""

import base64
import hashlib
import hmac
from dataclasses import dataclass, field

from slipway.secrets.check import weaknesses
from slipway.settings import App, BadInput, misfits

PREVIEWS_KEY = "PLATFORM_PREVIEWS_KEY"
"""The fleet's key, which `slipway up` makes where `slipway:previews` is set."""
PASSWORD = "hex:24"  # noqa: S105 - a form, not a password
_TRIES = 200


@dataclass(frozen=True)
class Derived:
    """The secrets of one life of a preview: `nonce` is another one after it was closed."""

    key: str = field(repr=False)
    preview: str
    nonce: str

    def password(self, name: str) -> str:
        """The password of a service that is the preview's own."""
        return self._value(name, PASSWORD, 0)

    def of_app(self, app: App) -> dict[str, str]:
        """Values of the entries that have `generate`. BadInput: nothing fits an entry's own rules."""
        forms = {name: var.generate for name, var in app.env.items() if var.secret and var.generate}
        return {name: self._strong(app, name, form) for name, form in forms.items()}

    def _strong(self, app: App, name: str, form: str) -> str:
        for attempt in range(_TRIES):
            value = self._value(name, form, attempt)
            if not weaknesses(value) and not any(misfits(app.env[name], value)):
                return value
        raise BadInput(
            f"env.{name}: nothing that {form} makes fits the entry's own rules",
            remedy="change its pattern, or remove generate and set it yourself",
        )

    def _value(self, name: str, form: str, attempt: int) -> str:
        kind, _, size = form.partition(":")
        label = "\0".join((self.preview, self.nonce, name, str(attempt)))
        raw = b""
        while len(raw) < int(size):
            raw += hmac.digest(self.key.encode(), f"{label}\0{len(raw)}".encode(), hashlib.sha512)
        raw = raw[: int(size)]
        return raw.hex() if kind == "hex" else base64.b64encode(raw).decode()
