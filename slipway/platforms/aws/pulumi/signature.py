"""Signatures of approvals: OpenSSH's own (`ssh-keygen -Y`), so that a key in an agent or token will do."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from slipway.settings.errors import BadInput

NAMESPACE = "slipway-approval"
"""What a signature is for; one made for anything else does not verify."""
KEY_FILE = "SLIPWAY_APPROVAL_KEY"


def key_file(env: Mapping[str, str] | None = None) -> Path:
    """The approver's key: SLIPWAY_APPROVAL_KEY, else `~/.config/slipway/approval_ed25519`."""
    env = os.environ if env is None else env
    if given := env.get(KEY_FILE, ""):
        return Path(given).expanduser()
    home = Path(env.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return home / "slipway" / "approval_ed25519"


def ensure_key(path: Path) -> str:
    """The public key of `path` (`ssh-ed25519 AAAA…`); a key is made there if none is.

    BadInput: SLIPWAY_APPROVAL_KEY names a file that does not exist.
    """
    # Of a key in an agent or on a token only the public half is a file, and that names it.
    public = path if path.suffix == ".pub" else path.with_name(f"{path.name}.pub")
    if not path.exists() and not public.exists():
        if os.environ.get(KEY_FILE):
            raise BadInput(
                f"{KEY_FILE} names {path}, which does not exist", remedy="name your private ssh key"
            )
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _run("-q", "-t", "ed25519", "-N", "", "-C", "slipway approvals", "-f", str(path))
    if public.exists():
        return " ".join(public.read_text().split()[:2])
    return " ".join(_run("-y", "-f", str(path)).split()[:2])


def sign(content: bytes, key: Path) -> str:
    """An armored signature of `content`. BadInput: the key cannot sign."""
    return _run("-q", "-Y", "sign", "-n", NAMESPACE, "-f", str(key), stdin=content)


def verifies(content: bytes, signature: str, *, signer: str, allowed_signers: str) -> bool:
    """Is `signature` that of `signer`, as `allowed_signers` (the text of such a file) knows them, now?"""
    with tempfile.TemporaryDirectory(prefix="slipway-approval-") as folder:
        signers, signed = Path(folder, "allowed_signers"), Path(folder, "signature")
        signers.write_text(allowed_signers)
        signed.write_text(signature)
        files = ("-f", str(signers), "-s", str(signed))
        command = ["ssh-keygen", "-Y", "verify", *files, "-n", NAMESPACE, "-I", signer]
        return subprocess.run(command, input=content, capture_output=True, check=False).returncode == 0


def _run(*arguments: str, stdin: bytes = b"") -> str:
    try:
        done = subprocess.run(["ssh-keygen", *arguments], input=stdin, capture_output=True, check=False)
    except FileNotFoundError:
        raise BadInput("there is no ssh-keygen", remedy="install OpenSSH's client, 8.2 or newer") from None
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["no reason given"]
        raise BadInput(
            f"ssh-keygen failed: {last[0]}", remedy=f"check the key, or name another by {KEY_FILE}"
        )
    return done.stdout.decode()
