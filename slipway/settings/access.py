"""Whose ssh keys sign in to the hosts of a stack: people, and CI jobs, whose keys are bound to the agent."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Literal

from .errors import BadInput

ACCESS = "PLATFORM_ACCESS"
"""Entry of the secret store: the grants, as JSON. Who cannot open the store cannot add a key."""

Kind = Literal["person", "ci"]
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}")
_TYPES = (
    *("ssh-ed25519", "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com"),
    *("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"),
)


@dataclass(frozen=True)
class Grant:
    """One key that may sign in to every host of a stack."""

    name: str
    key: str
    """`ssh-ed25519 AAAA…`, without a comment."""
    kind: Kind
    """`person`: a shell, and root by sudo. `ci`: what the agent takes, the files of builds, nothing else."""
    expires: str = ""
    """The last day on which it is good, `2027-12-31` (UTC); empty: none."""

    @property
    def fingerprint(self) -> str:
        """As ssh-keygen -l shows it: `SHA256:…`."""
        return fingerprint(self.key)

    def is_over(self, today: date) -> bool:
        """Whether its last day has passed."""
        return bool(self.expires) and date.fromisoformat(self.expires) < today


def new_grant(name: str, key: str, kind: Kind, expires: str = "") -> Grant:
    """A grant. BadInput: name, key or day is none; each becomes part of a line that sshd reads."""
    if not _NAME.fullmatch(name):
        raise BadInput(
            f"--name {name!r}: must be letters, digits and ._@+-, at most 64", remedy="--name ana@laptop"
        )
    try:
        last = date.fromisoformat(expires).isoformat() if expires else ""
    except ValueError:
        raise BadInput(f"--expires {expires}: must be a day such as 2027-12-31") from None
    return Grant(name, public_key(key), kind, last)


def public_key(text: str) -> str:
    """Type and body of a public ssh key, without its comment. BadInput: it is none that hosts take."""
    words = text.split()
    if len(words) < 2 or words[0] not in _TYPES or not _is_body(words[0], words[1]):
        raise BadInput(
            f"{text[:40]!r} is not a public ssh key of type {', '.join(_TYPES)}",
            remedy="ssh-keygen -t ed25519 makes one; give its .pub file",
        )
    return f"{words[0]} {words[1]}"


def _is_body(kind: str, body: str) -> bool:
    """A body begins with its own type, as a string with its length in front."""
    try:
        raw = base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        return False
    return raw[4 : 4 + int.from_bytes(raw[:4])] == kind.encode() and len(raw) > 4 + len(kind)


def fingerprint(key: str) -> str:
    """`SHA256:…` of `ssh-ed25519 AAAA…`."""
    digest = hashlib.sha256(base64.b64decode(key.split()[1])).digest()
    return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"


def grants(secrets: Mapping[str, str]) -> tuple[Grant, ...]:
    """The grants among a stack's secrets, by name."""
    return tuple(Grant(**each) for each in json.loads(secrets.get(ACCESS) or "[]"))


def written(all_of_them: Iterable[Grant]) -> str:
    """The text of the entry."""
    return json.dumps([asdict(each) for each in sorted(all_of_them, key=lambda each: each.name)])
