"""One file as it shall be on a host."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field


@dataclass(frozen=True)
class HostFile:
    """One file as it shall be on a host."""

    path: str
    content: str | bytes = field(repr=False)
    mode: str = "0644"
    owner: str = "root"
    group: str = "root"
    check: str = ""
    """Shell command that judges the new file before it replaces the old one; `{}` is its path."""

    @property
    def data(self) -> bytes:
        """The content as bytes."""
        return self.content.encode() if isinstance(self.content, str) else self.content

    @property
    def placed(self) -> dict[str, str | int]:
        """As templates/base/place.py takes it."""
        return {
            "path": self.path,
            "mode": int(self.mode, 8),
            "owner": self.owner,
            "group": self.group,
            "check": self.check,
            "content": base64.b64encode(self.data).decode(),
        }

    @property
    def state(self) -> str:
        """Digest, mode and owner in one word, as `PlacedFiles` reports them."""
        digest = hashlib.sha256(self.data).hexdigest()
        return f"{digest}:{self.mode.lstrip('0')}:{self.owner}:{self.group}"
