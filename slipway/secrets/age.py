"""The three things we ask of age (pyrage ships no types, so they are given here)."""

from collections.abc import Sequence
from typing import Any, cast

import pyrage  # pyright: ignore[reportMissingTypeStubs]

_age = cast("Any", pyrage)


class CannotDecrypt(Exception):
    """No key at hand fits, or the text is no age file."""


class BadKey(ValueError):
    """Not an age key."""


def new_key() -> str:
    """A new private key, `AGE-SECRET-KEY-1…`."""
    return str(_age.x25519.Identity.generate())


def public_of(private_key: str) -> str:
    """The public key, `age1…`, of `private_key`. Raises BadKey."""
    return str(_private(private_key).to_public())


def encrypt(plain: bytes, public_keys: Sequence[str]) -> bytes:
    """`plain` as an armored age text that any of `public_keys` opens. Raises BadKey."""
    return cast("bytes", _age.encrypt(plain, [_public(key) for key in public_keys], armored=True))


def decrypt(armored: bytes, private_keys: Sequence[str]) -> bytes:
    """What `encrypt` was given. Raises CannotDecrypt and BadKey."""
    keys = [_private(key) for key in private_keys]
    try:
        return cast("bytes", _age.decrypt(armored, keys))
    except _age.DecryptError as error:
        raise CannotDecrypt(str(error)) from None


def is_public_key(text: str) -> bool:
    """True for a well-formed `age1…`."""
    try:
        _public(text)
    except BadKey:
        return False
    return True


def _private(key: str) -> Any:
    try:
        return _age.x25519.Identity.from_str(key)
    except _age.IdentityError as error:
        raise BadKey(str(error)) from None


def _public(key: str) -> Any:
    try:
        return _age.x25519.Recipient.from_str(key)
    except _age.RecipientError as error:
        raise BadKey(str(error)) from None
