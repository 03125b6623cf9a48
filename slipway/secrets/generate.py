"""Makes the secrets that the env contract says can be made."""

from __future__ import annotations

import base64
import secrets as randomness
from collections.abc import Collection, Iterable

from slipway.secrets.weakness import weaknesses
from slipway.settings.app import App, EnvVar
from slipway.settings.env_value import misfits
from slipway.settings.errors import BadInput

_TRIES = 200


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
        name: _strong(name, form, app.env[name])
        for name, form in forms.items()
        if name in again or name not in present
    }


def random_value(form: str) -> str:
    """A new value of `base64:<bytes>` or `hex:<bytes>`."""
    kind, _, size = form.partition(":")
    raw = randomness.token_bytes(int(size))
    return raw.hex() if kind == "hex" else base64.b64encode(raw).decode()


def _strong(name: str, form: str, var: EnvVar) -> str:
    for _ in range(_TRIES):  # by chance, one in a great many is taken for a development value
        value = random_value(form)
        if not weaknesses(value) and not any(misfits(var, value)):
            return value
    raise BadInput(
        f"env.{name}: nothing that {form} makes fits the entry's own rules",
        remedy="change its pattern, or remove generate and set it yourself",
    )
