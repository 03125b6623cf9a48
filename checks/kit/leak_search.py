"""Runs on a host, as root: where are secrets, private keys, keys of well-known kinds? Standard library only.

It comes on standard input. It gets no secret, only digests of pieces and their lengths, and prints no value:
a place and the digest of what was found there, as JSON. `WANTED` is filled in by `leaks.py`.
"""
# ruff: noqa: PTH123, PTH207, PTH119

from __future__ import annotations

import glob
import hashlib
import json
import os
import re
import stat
import subprocess
from collections.abc import Iterator
from typing import Any

WANTED: dict[str, Any] = {}
"""`digests`, `lengths`, `separators`, `known` and `logged` (kind to pattern), `names`, `salt`."""

LARGEST = 32 * 1024 * 1024
NOT_READ = re.compile(
    r"/(proc|sys|dev/(?!shm/|shm$)[^/]+|usr/(?!local/|local$)[^/]+|lib\w*|bin|sbin|boot|snap|run/(udev|log)"
    r"|run/systemd/(?!system/|system$)[^/]+|var/(lib/(dpkg|apt|docker|containerd|postgresql|redis|systemd|ucf|pam|python)"
    r"|lib/versitygw/data|cache/(apt|debconf|man|ldconfig)|log/journal))(/|$)"
    r"|.*/(node_modules|\.runtime|\.venv|site-packages|__pycache__)(/|$)"
)
"""What only packages, databases and the kernel write; the journal is read by its own program."""
SERVED = re.compile(r"/srv/slipway/")
"""A release: its fixtures may have keys, but no value of the stack."""
PRIVATE = re.compile(rb"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----")


def main() -> None:
    print(
        json.dumps(
            {
                "files": list(files()),
                "logs": logs(),
                "units": unit_environments(),
                "processes": list(processes()),
                "app": dict(app_processes()),
            }
        )
    )


BETWEEN = bytes(32 if index in WANTED.get("separators", ()) or index < 32 else index for index in range(256))
SOUGHT = dict.fromkeys(WANTED.get("lengths", ()), True)
DIGESTS = set(WANTED.get("digests", ()))
KNOWN = {kind: re.compile(pattern.encode()) for kind, pattern in WANTED.get("known", {}).items()}
LOGGED = {kind: re.compile(pattern.encode()) for kind, pattern in WANTED.get("logged", {}).items()}
DOCUMENTED = re.compile(rb"EXAMPLE|example|0{8}|x{8}|X{8}|1234567890")


def held(content: bytes) -> set[str]:
    """Digests of the wanted pieces in `content`."""
    words = (word for word in set(content.translate(BETWEEN).split()) if len(word) in SOUGHT)
    return {digest for digest in (hashlib.sha256(word).hexdigest() for word in words) if digest in DIGESTS}


def kinds(content: bytes, patterns: dict[str, re.Pattern[bytes]]) -> set[str]:
    return {
        kind
        for kind, pattern in patterns.items()
        if any(not DOCUMENTED.search(match[0]) for match in pattern.finditer(content))
    }


def files() -> Iterator[dict[str, Any]]:
    """Every file with a secret: its path, mode and owner, and what it holds."""
    waiting = ["/"]
    while waiting:
        folder = waiting.pop()
        try:
            inside = list(os.scandir(folder))
        except OSError:
            continue
        for each in inside:
            try:
                found = each.stat(follow_symlinks=False)
            except OSError:
                continue
            if NOT_READ.match(each.path):
                continue
            if stat.S_ISDIR(found.st_mode):
                waiting.append(each.path)
            elif stat.S_ISREG(found.st_mode) and 0 < found.st_size <= LARGEST:
                yield from examined(each.path, found)


def examined(path: str, found: os.stat_result) -> Iterator[dict[str, Any]]:
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError:
        return
    if content.startswith((b"\x7fELF", b"\x28\xb5\x2f\xfd", b"\x1f\x8b")):
        return
    secrets = held(content)
    key = not SERVED.match(path) and bool(PRIVATE.search(content))
    known = set[str]() if SERVED.match(path) or key else kinds(content, KNOWN)
    if secrets or key or known:
        yield {
            "path": path, "mode": format(stat.S_IMODE(found.st_mode), "o"), "uid": found.st_uid,
            "secrets": sorted(secrets), "key": key, "known": sorted(known),
        }  # fmt: skip


def logs() -> dict[str, Any]:
    """What the newest lines of the journal hold."""
    asked = ["journalctl", "--no-pager", "-o", "cat", "-n", "20000"]
    lines = set(subprocess.run(asked, capture_output=True, check=False).stdout.splitlines())
    secrets = [line for line in lines if held(line)]
    found = {kind for line in lines for kind in kinds(line, LOGGED)}
    return {
        "lines": len(secrets),
        "secrets": sorted(set[str]().union(*map(held, secrets))),
        "known": sorted(found),
    }


def unit_environments() -> dict[str, list[str]]:
    """By unit, what its `Environment=` holds."""
    shown = subprocess.run(
        ["systemctl", "show", "--property=Id,Environment", "*"], capture_output=True, check=False
    ).stdout
    found: dict[str, list[str]] = {}
    for block in shown.split(b"\n\n"):
        name = re.search(rb"^Id=(.*)$", block, re.MULTILINE)
        if secrets := held(block):
            found[name[1].decode() if name else "?"] = sorted(secrets)
    return found


def processes() -> Iterator[dict[str, Any]]:
    """Every process with a secret in its command line, or, if it is none of the app's, in its environment."""
    for folder in glob.glob("/proc/[0-9]*"):
        group = content(f"{folder}/cgroup")
        own = re.search(rb"/slipway-[a-z0-9-]+@(?:blue|green)|/slipway-run-|/versitygw\.service", group)
        line, environment = held(content(f"{folder}/cmdline")), held(content(f"{folder}/environ"))
        name = content(f"{folder}/comm").decode(errors="replace").strip()
        if line:
            yield {"name": name, "where": "command line", "secrets": sorted(line)}
        if environment and not own:
            yield {"name": name, "where": "environment", "secrets": sorted(environment)}


def app_processes() -> Iterator[tuple[str, dict[str, str]]]:
    """By unit of the app, a salted digest of each wanted variable of its main process."""
    for folder in glob.glob("/sys/fs/cgroup/**/slipway-*@*.service", recursive=True):
        unit = os.path.basename(folder)
        for pid in content(f"{folder}/cgroup.procs").split():
            pairs = (pair.partition(b"=") for pair in content(f"/proc/{pid.decode()}/environ").split(b"\0"))
            yield (
                unit,
                {
                    name.decode(): hashlib.sha256(WANTED["salt"].encode() + value).hexdigest()
                    for name, _, value in pairs
                    if name.decode(errors="replace") in WANTED["names"]
                },
            )


def content(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


if __name__ == "__main__":
    main()
