"""Makes the secrets that the env contract says can be made."""

from __future__ import annotations

import base64
import secrets as randomness
from collections.abc import Collection, Iterable

from slipway.errors import BadInput
from slipway.secrets.weakness import weaknesses
from slipway.settings.app import App


def generate(app: App, present: Collection[str] = (), *, rotate: Iterable[str] = ()) -> dict[str, str]:
    """New values for the entries of `app` that have `generate` and are not in `present`.

    `rotate` names entries to make anew although they are there; BadInput if the contract cannot make one.
    """
    forms = {name: var.generate for name, var in app.env.items() if var.secret and var.generate}
    again = list(rotate)
    for name in again:
        if name not in forms:
            known = ", ".join(sorted(forms)) or "none"
            raise BadInput(f"{name} cannot be generated", remedy=f"entries with generate: {known}")
    return {
        name: _strong(form, app.env[name].pattern)
        for name, form in forms.items()
        if name in again or name not in present
    }


def random_value(form: str) -> str:
    """A new value of `base64:<bytes>` or `hex:<bytes>`."""
    kind, _, size = form.partition(":")
    raw = randomness.token_bytes(int(size))
    return raw.hex() if kind == "hex" else base64.b64encode(raw).decode()


def _strong(form: str, pattern: str | None) -> str:
    import re  # noqa: PLC0415

    while True:  # by chance, one in a great many is taken for a development value
        value = random_value(form)
        if not weaknesses(value) and (pattern is None or re.fullmatch(pattern, value)):
            return value
