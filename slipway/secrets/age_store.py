"""Secrets in one age-encrypted file a stack, which a team may commit: `secrets/prod.age`.

The file is armored age around `{"schema": 2, "values": {NAME: value}, "recipients": {public key: who}}`;
every write encrypts to these recipients. They are inside, so that only someone who can open the file can add
one. The private key of the person or CI job at work is an `Identity`.
"""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from slipway.secrets import age
from slipway.secrets.store import refuse_bad_entry
from slipway.settings import BadInput, Stack

_SCHEMA = 2
"""1: the recipients stood in a file beside it, to which anyone could add a line."""


@dataclass
class _Content:
    values: dict[str, str]
    recipients: dict[str, str]
    is_confirmed: bool = True
    """False: of schema 1, with recipients that stand in the file beside it."""


class AgeStore:
    """A SecretStore in the file `path`, opened with `identity`."""

    def __init__(self, path: Path, identity: Identity) -> None:
        self.path = path
        self.recipients_path = path.with_suffix(".recipients")
        """Where schema 1 kept them; removed by the write that takes them into the store."""
        self._identity = identity

    def read(self) -> dict[str, str]:
        """All names and values. Raises BadInput: no key, the wrong key, or a damaged file."""
        return self._open().values

    def _open(self) -> _Content:
        try:
            armored = self.path.read_bytes()
        except FileNotFoundError:
            return _Content({}, {})
        try:
            plain = age.decrypt(armored, self._identity.keys())
        except age.CannotDecrypt:
            raise BadInput(
                f"{self.path} cannot be opened {self._blame(armored)}", remedy=self._way_in()
            ) from None
        try:
            content: Any = json.loads(plain)
            values = cast("dict[str, str]", content["values"])
            schema = int(content["schema"])
            recipients = cast("dict[str, str]", content["recipients"]) if schema > 1 else self._listed()
        except (ValueError, KeyError, TypeError):
            raise BadInput(f"{self.path}: its content is not what slipway writes") from None
        if schema > _SCHEMA:
            raise BadInput(
                f"{self.path} was written by a newer slipway (schema {schema})", remedy="update slipway"
            )
        return _Content(dict(values), dict(recipients), is_confirmed=schema > 1)

    def names(self) -> list[str]:
        return sorted(self.read())

    def set(self, name: str, value: str) -> None:
        """Adds or replaces one value."""
        self.update({name: value})

    def update(self, values: Mapping[str, str]) -> None:
        """Adds or replaces several values in one write."""
        for name, value in values.items():
            refuse_bad_entry(name, value)
        if not values:
            return
        with self._changing() as current:
            current.update(values)

    def unset(self, name: str) -> None:
        """Removes one value; BadInput if it is not there."""
        with self._changing() as current:
            if name not in current:
                raise BadInput(f"there is no secret {name}", remedy="see `slipway secrets list`")
            del current[name]

    def recipients(self) -> dict[str, str]:
        """Who can open what the next write leaves: public keys, and whose they are."""
        return self._open().recipients

    def mine(self) -> list[str]:
        """The public keys of whoever is at work."""
        return self._identity.public_keys()

    def set_recipients(self, recipients: Mapping[str, str], *, seen: Mapping[str, str]) -> None:
        """Encrypt to `recipients` from now on, if they are still those that were `seen`."""
        for key in recipients:
            if not age.is_public_key(key):
                raise BadInput(f"{key} is not an age public key", remedy='it begins with "age1"')
        if not set(self.mine()) & set(recipients):
            raise BadInput(
                "you could not open the store yourself any more", remedy="let someone else remove your key"
            )
        with self._changing(recipients, seen):
            pass

    @contextmanager
    def _changing(
        self, recipients: Mapping[str, str] | None = None, seen: Mapping[str, str] | None = None
    ) -> Generator[dict[str, str]]:
        """The values, to be changed in place, and written if the block ends well; one writer at a time."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(self.path.parent):
            if not self.path.exists():
                self._identity.ensure()
            content = self._open()
            if seen is not None and dict(seen) != content.recipients:
                raise BadInput("the recipients were changed meanwhile", remedy="run the command again")
            wanted = content.recipients if recipients is None else dict(recipients)
            mine = self.mine()
            if recipients is None and not content.is_confirmed and set(wanted) - set(mine):
                raise BadInput(
                    f"the recipients of {self.path} stand beside it in {self.recipients_path.name}, which "
                    "anyone can change",
                    remedy=f"slipway secrets share {mine[0]} (your own key) shows them, and takes them over",
                )
            # Whoever writes stays able to read; of several keys one is enough, so that old ones can go.
            if not set(mine) & set(wanted):
                wanted = {**wanted, mine[0]: ""}
            yield content.values
            text = json.dumps(
                {"schema": _SCHEMA, "values": content.values, "recipients": wanted},
                sort_keys=True,
                ensure_ascii=False,
            )
            _write(self.path, age.encrypt(text.encode(), sorted(wanted)), 0o600)
            self.recipients_path.unlink(missing_ok=True)

    def _listed(self) -> dict[str, str]:
        """The recipients of schema 1. Raises BadInput for a line that is none."""
        if not self.recipients_path.exists():
            return {}
        found: dict[str, str] = {}
        for number, line in enumerate(self.recipients_path.read_text().splitlines(), start=1):
            key, _, comment = line.partition("#")
            if key.strip() and not age.is_public_key(key.strip()):
                raise BadInput(
                    f"{self.recipients_path}:{number}: not an age public key",
                    remedy='it begins with "age1"; `age-keygen -y <key file>` prints it',
                )
            if key.strip():
                found[key.strip()] = comment.strip()
        return found

    def _blame(self, armored: bytes) -> str:
        if not armored.startswith(b"-----BEGIN AGE ENCRYPTED FILE-----"):
            return "because it is not an age file"
        return f"with the key in {self._identity.where}"

    def _way_in(self) -> str:
        mine = ", ".join(self._identity.public_keys())
        return (
            f"someone who can open it runs `slipway secrets share {mine}`; or the file was damaged: take it "
            "from version control"
        )


@contextmanager
def _locked(folder: Path) -> Generator[None]:
    """One writer at a time, by a lock on the folder itself, so that no lock file is left to commit."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _write(path: Path, content: bytes, mode: int) -> None:
    """Replaces `path` by `content` so that a crash leaves the old file or the new one, whole."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


KEY = "SLIPWAY_AGE_KEY"
KEY_FILE = "SLIPWAY_AGE_KEY_FILE"


@dataclass(frozen=True)
class Identity:
    """The age key of this person or this CI job: given as text, or in a file that may not exist yet."""

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
                "adds you by `slipway secrets share` with the public key, `age-keygen -y <your key file>`",
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
