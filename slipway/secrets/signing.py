"""Who may release to a stack: the file of signers, and the key of the person or CI job at work.

`signers/<stack>` beside Pulumi.yaml, to be committed, in OpenSSH's format of allowed signers, a line a key:

    ana@example.com namespaces="slipway-*",valid-before="20271231Z" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI…

`slipway up` places it on every host. Several keys may stand in it: to rotate, add the new one and run `up`,
sign with it, then take the old one out and run `up` again. A local fleet's file and key are in its state
folder.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from hosts.agent.signature import RELEASE
from slipway.secrets.ssh_signature import make_key, public_of, sign, signer_of, verifies
from slipway.settings import BadInput, Project

if TYPE_CHECKING:
    from slipway.storage.records import Release

KEY, KEY_FILE = "SLIPWAY_SIGNING_KEY", "SLIPWAY_SIGNING_KEY_FILE"
NAMESPACES = "slipway-*"
BUILD = "slipway-build"
"""What a signature of an entry in `inputs/` is for. Releases: hosts/agent/signature.py."""


class Signing:
    """This person's signatures for one stack."""

    def __init__(self, project: Project) -> None:
        self._project = project

    def sign(self, content: bytes, namespace: str) -> tuple[str, str]:
        """Signer and signature. BadInput: this person may not sign for the stack."""
        return signed(self._project, content, namespace)

    def record(self, record: Release) -> Release:
        """`record`, signed for the stack."""
        signer, signature = self.sign(record.statement(self._project.fleet_id), RELEASE)
        return record.model_copy(update={"signer": signer, "signature": signature})

    def trusts_record(self, record: Release) -> bool:
        """Did one of the stack's signers sign this very record?"""
        content = record.statement(self._project.fleet_id)
        return trusts(self._project, content, record.signature, record.signer, RELEASE)

    def build(self, content: bytes) -> tuple[str, str]:
        """Signer and signature of what the bucket is to say about a build."""
        return self.sign(content, BUILD)

    def trusts_build(self, content: bytes, signature: str, signer: str) -> bool:
        """Did one of the stack's signers sign what the bucket says about a build?"""
        return trusts(self._project, content, signature, signer, BUILD)


def signers_file(project: Project) -> Path:
    """Where the stack's signers are listed."""
    if project.stack.facts.keeps_keys_here:
        return project.state_dir / "signers"
    return project.root / "signers" / project.stack.name


def signers(project: Project) -> str:
    """The text of the file of signers. BadInput: there is none."""
    file = signers_file(project)
    try:
        return file.read_text()
    except FileNotFoundError:
        raise BadInput(
            f"stack {project.stack.name} has no signers: {file} is missing",
            remedy=f"slipway up --stack {project.stack.name} makes it with your key; commit it",
        ) from None


def ensure_signers(project: Project) -> str:
    """Make the file of signers with this person's key, if there is none; says so, or nothing."""
    file = signers_file(project)
    if file.exists():
        return ""
    public = public_of(_key(project, make=True))
    name = f"{os.environ.get('USER') or 'operator'}@{os.uname().nodename}"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f'{name} namespaces="{NAMESPACES}" {public}\n')
    if project.stack.facts.keeps_keys_here:
        return ""
    return f"{file} lists your key as the only one that may sign releases to {project.stack.name}: commit it"


def signed(project: Project, content: bytes, namespace: str) -> tuple[str, str]:
    """Signer and signature of `content`. BadInput: this person's key is not among the stack's signers."""
    key = _key(project)
    public = public_of(key)
    name = signer_of(signers(project), public)
    if not name:
        raise BadInput(
            f"the key {key} may not sign releases to stack {project.stack.name}",
            remedy=f"have this line reviewed and added to {signers_file(project)}, then slipway up: "
            f'you@example.com namespaces="{NAMESPACES}" {public}',
        )
    return name, sign(content, key, namespace)


def trusts(project: Project, content: bytes, signature: str, signer: str, namespace: str) -> bool:
    """Did `signer`, as the stack's file of signers knows them, sign `content`?"""
    return bool(signature and signer) and verifies(
        content, signature, signer=signer, allowed_signers=signers(project), namespace=namespace
    )


def _key(project: Project, *, make: bool = False) -> Path:
    """The key: SLIPWAY_SIGNING_KEY (its text), else SLIPWAY_SIGNING_KEY_FILE, else one that `up` made.

    The file may be a .pub whose private half is in an ssh agent or on a token.
    """
    if text := os.environ.get(KEY, "").strip():
        if not text.startswith("-----BEGIN ") or "PRIVATE KEY-----" not in text:
            raise BadInput(f"{KEY} holds no private ssh key", remedy="it begins with -----BEGIN")
        return _laid(project.state_dir.resolve() / "ssh" / "signing", text.replace("\r\n", "\n") + "\n")
    if given := os.environ.get(KEY_FILE, ""):
        if not Path(given).expanduser().is_file():
            raise BadInput(f"there is no key {given} (from {KEY_FILE})")
        return Path(given).expanduser()
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "slipway"
    key = (project.state_dir.resolve() if project.stack.facts.keeps_keys_here else home) / "signing_ed25519"
    if not key.exists():
        if not make:
            raise BadInput(
                f"there is no key to sign releases with: {key} is missing",
                remedy=f"give it by {KEY} (its text) or {KEY_FILE}; or make one: "
                f"ssh-keygen -t ed25519 -f {key}, and have it added to {signers_file(project)}",
            )
        make_key(key, "slipway releases")
    return key


def _laid(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    return path
