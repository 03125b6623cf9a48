"""The private ssh key by which this person or CI job signs in to servers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from slipway.platforms.fleet_setup.private_file import keep_private
from slipway.settings.errors import BadInput

KEY = "SLIPWAY_SSH_KEY"
KEY_FILE = "SLIPWAY_SSH_KEY_FILE"


def ssh_identity(state_dir: Path, env: Mapping[str, str] | None = None) -> Path | None:
    """The key's file: SLIPWAY_SSH_KEY (its text, kept in `state_dir` for ssh), else SLIPWAY_SSH_KEY_FILE.

    None: the keys of this person's agent and `~/.ssh`. BadInput, without the text, if it is no key.
    """
    env = os.environ if env is None else env
    if text := env.get(KEY, "").strip():
        if not text.startswith("-----BEGIN ") or "PRIVATE KEY-----" not in text:
            raise BadInput(f"{KEY} holds no private ssh key", remedy="it begins with -----BEGIN")
        file = state_dir / "ssh" / "key"
        keep_private(file, text.replace("\r\n", "\n").encode() + b"\n")
        return file
    if given := env.get(KEY_FILE, ""):
        file = Path(given).expanduser()
        if not file.is_file():
            raise BadInput(f"there is no ssh key {given} (from {KEY_FILE})")
        return file
    return None
