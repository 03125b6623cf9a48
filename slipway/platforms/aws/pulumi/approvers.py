"""Who may approve: the file `approvers` beside Pulumi.yaml, in OpenSSH's format of allowed signers.

    alice@example.com namespaces="slipway-approval" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI…

It is read from the commit, not from the folder: who wants to approve must first be let in by a review.
"""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

from slipway.settings.errors import BadInput

FILE = "approvers"


def committed_approvers(root: Path) -> str:
    """The text of the file as it is in HEAD. BadInput: there is none."""
    command = ["git", "-C", str(root), "show", f"HEAD:./{FILE}"]
    try:
        shown = subprocess.run(command, capture_output=True, check=False)
    except FileNotFoundError:
        raise BadInput("there is no git", remedy="install git") from None
    if shown.returncode:
        raise BadInput(
            f"no file {FILE} is committed in {root}",
            remedy=f"commit {FILE}: a line a person, with e-mail address and public ssh key (docs/engine.md)",
        )
    return shown.stdout.decode(errors="replace")


def line_for(email: str, public_key: str) -> str:
    """The line that lets a key approve."""
    return f'{email} namespaces="slipway-approval" {public_key}'


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
