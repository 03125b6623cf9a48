"""The operator's ssh key for hosts on AWS: short-lived, made here, and worth nothing by itself.

A host takes it only in the minute after EC2 Instance Connect was asked to, which IAM decides.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import time
from pathlib import Path

from slipway.settings.errors import SlipwayError

RENEW_SECONDS = 12 * 3600


def ssh_key(state_dir: Path) -> Path:
    """Path of the private key; its public half is beside it, `.pub`. Made anew twice a day."""
    folder = state_dir / "ssh"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / "operator"
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        if not _is_fresh(path):
            _make(path)
    finally:
        os.close(handle)
    return path


def _is_fresh(path: Path) -> bool:
    try:
        public = path.with_name(f"{path.name}.pub").stat()
        return path.exists() and 0 <= time.time() - public.st_mtime < RENEW_SECONDS
    except FileNotFoundError:
        return False


def _make(path: Path) -> None:
    fresh = path.with_name(f"{path.name}.new")
    for old in (fresh, fresh.with_name(f"{fresh.name}.pub")):
        old.unlink(missing_ok=True)
    try:
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "slipway", "-f", str(fresh)],
            check=True, capture_output=True, timeout=20,
        )  # fmt: skip
    except FileNotFoundError:
        raise SlipwayError(
            "ssh is not installed on this machine", remedy="install the OpenSSH client"
        ) from None
    fresh.replace(path)
    fresh.with_name(f"{fresh.name}.pub").replace(path.with_name(f"{path.name}.pub"))
