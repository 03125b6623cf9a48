"""The S3 server's binary for a data host that has none yet."""

from __future__ import annotations

from pathlib import Path

from slipway.platforms.fleet_setup.s3_server import VERSION, build_with, find_versitygw, go_on_path
from slipway.progress import Progress
from slipway.settings.errors import BadInput

_ELF = b"\x7fELF"
_MACHINES = {62: "x86_64", 183: "aarch64"}
"""e_machine of an ELF header, as `uname -m` calls it."""


def binary_for(host: str, architecture: str, progress: Progress) -> Path:
    """A Linux binary for `architecture`: $VERSITYGW, the cache, or built here; BadInput if none."""
    binary = find_versitygw()
    go = None if binary else go_on_path()
    if go:
        progress.line(f"building the S3 server, versitygw {VERSION}, with {go}")
        binary = build_with(go)
    remedy = f"set VERSITYGW to a binary of versitygw {VERSION} for Linux on {architecture}"
    if binary is None:
        raise BadInput(
            f"{host} has no S3 server yet, and this machine has neither its binary nor Go to build it",
            remedy=f"install Go 1.21 or newer here, or {remedy}",
        )
    made_for = machine_of(binary)
    if made_for != architecture:
        raise BadInput(f"{binary} is for {made_for}, and {host} is {architecture}", remedy=remedy)
    return binary


def machine_of(binary: Path) -> str:
    """What a program runs on, as `uname -m` says it."""
    with binary.open("rb") as file:
        head = file.read(20)
    if not head.startswith(_ELF):
        return "another system than Linux"
    number = int.from_bytes(head[18:20], "little")
    return _MACHINES.get(number, f"machine {number}")
