"""Who may open a stack's secrets: the age key of this person or this CI job."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from slipway.secrets import age
from slipway.settings import BadInput, Stack

KEY = "SLIPWAY_AGE_KEY"
KEY_FILE = "SLIPWAY_AGE_KEY_FILE"


@dataclass(frozen=True)
class Identity:
    """Where the private key is: given as text, or in a file that may not exist yet."""

    file: Path | None
    text: str = ""
    where: str = ""
    """How messages name it; never the key itself."""
    may_create: bool = False

    def __repr__(self) -> str:
        return f"Identity({self.where})"

    @classmethod
    def at(cls, file: Path, *, may_create: bool = True) -> Identity:
        """The key in `file`; made there by `ensure` if it may be."""
        return cls(file, where=str(file), may_create=may_create)

    @classmethod
    def of_text(cls, key: str) -> Identity:
        """The key given as text."""
        return cls(None, text=key, where=f"the environment variable {KEY}")

    @classmethod
    def of_stack(cls, stack: Stack, env: Mapping[str, str] | None = None) -> Identity:
        """The key for `stack`: SLIPWAY_AGE_KEY, else SLIPWAY_AGE_KEY_FILE, else the default file."""
        env = os.environ if env is None else env
        if text := env.get(KEY, "").strip():
            return cls.of_text(text)
        if given := env.get(KEY_FILE, ""):
            return cls(Path(given), where=f"{given} (from {KEY_FILE})")
        return cls.at(default_file(stack, env))

    def keys(self) -> list[str]:
        """The private keys (a file may hold several). Raises BadInput if there are none."""
        if self.file is not None and not self.file.is_file():
            raise BadInput(
                f"there is no age key in {self.where}",
                remedy=f"put your key there, or give it by {KEY} or {KEY_FILE}; whoever can open the secrets "
                "adds you with `age-keygen -y` of your key in the .recipients file (docs/secrets.md)",
            )
        lines = (self.file.read_text() if self.file else self.text).splitlines()
        found = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
        try:
            for key in found:
                age.public_of(key)
        except age.BadKey:
            found = []
        if not found:
            raise BadInput(
                f"{self.where} holds no age key", remedy='an age key begins with "AGE-SECRET-KEY-1"'
            )
        return found

    def public_keys(self) -> list[str]:
        """The public keys of `keys`."""
        return [age.public_of(key) for key in self.keys()]

    def ensure(self) -> None:
        """Makes a key, for its owner's eyes only, if none is there and it may be made."""
        if self.file is None or self.file.exists() or not self.may_create:
            return
        self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        key = age.new_key()
        handle = os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(f"# public key: {age.public_of(key)}\n{key}\n")
            file.flush()
            os.fsync(file.fileno())


def default_file(stack: Stack, env: Mapping[str, str] | None = None) -> Path:
    """`~/.config/slipway/age/<project>-<stack>.key` (or below XDG_CONFIG_HOME)."""
    env = os.environ if env is None else env
    home = Path(env.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return home / "slipway" / "age" / f"{stack.fleet_id}.key"
