"""Signatures by OpenSSH's own `ssh-keygen -Y`, so that a key in an agent or on a token can sign."""

import shlex
import subprocess
import tempfile
from pathlib import Path

from slipway.settings import BadInput


def public_of(key: Path) -> str:
    """The public key of `key` (`ssh-ed25519 AAAA…`); a key in an agent or on a token is named by its .pub."""
    public = key if key.suffix == ".pub" else key.with_name(f"{key.name}.pub")
    if public.exists():
        return " ".join(public.read_text().split()[:2])
    return " ".join(keygen("-y", "-f", str(key)).split()[:2])


def make_key(key: Path, comment: str) -> None:
    """An ed25519 key in `key`, without a passphrase, and its public half beside it."""
    key.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    keygen("-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(key))


def signer_of(allowed_signers: str, public_key: str) -> str:
    """Under which name a key is in the file; empty: it is not. Comments and options are passed over."""
    kind, _, key = public_key.partition(" ")
    for line in allowed_signers.splitlines():
        try:
            words = shlex.split(line, comments=True)
        except ValueError:
            continue
        if kind in words and key in words:
            return words[0].partition(",")[0]
    return ""


def sign(content: bytes, key: Path, namespace: str) -> str:
    """An armored signature of `content`. BadInput: the key cannot sign."""
    return keygen("-q", "-Y", "sign", "-n", namespace, "-f", str(key), stdin=content)


def verifies(content: bytes, signature: str, *, signer: str, allowed_signers: str, namespace: str) -> bool:
    """Is `signature` that of `signer`, as `allowed_signers` (the text of such a file) knows them, now?"""
    with tempfile.TemporaryDirectory(prefix="slipway-signature-") as folder:
        signers, signed = Path(folder, "allowed_signers"), Path(folder, "signature")
        signers.write_text(allowed_signers)
        signed.write_text(signature)
        files = ("-f", str(signers), "-s", str(signed))
        command = ["ssh-keygen", "-Y", "verify", *files, "-n", namespace, "-I", signer]
        return subprocess.run(command, input=content, capture_output=True, check=False).returncode == 0


def keygen(*arguments: str, stdin: bytes = b"") -> str:
    """What ssh-keygen prints. BadInput: it fails, or there is none."""
    try:
        done = subprocess.run(["ssh-keygen", *arguments], input=stdin, capture_output=True, check=False)
    except FileNotFoundError:
        raise BadInput("there is no ssh-keygen", remedy="install OpenSSH's client, 8.8 or newer") from None
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["no reason given"]
        raise BadInput(f"ssh-keygen failed: {last[0]}", remedy="check the key, or name another")
    return done.stdout.decode()
