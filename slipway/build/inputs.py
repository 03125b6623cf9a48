"""The input digest: equal for equal source and settings, so that an unchanged build is found, not made.

Contents are hashed once and remembered by inode, size and times, so that a gigabyte of unchanged source
costs a few thousand `stat` calls.
"""

from __future__ import annotations

import hashlib
import json
import stat
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from slipway.build import cache

FORMAT = 1
"""Grows when the same input would give another build: a change of the layers' or the manifest's format."""

SETTLED_NS = 2_000_000_000
"""A file changed this recently may change again within one tick of its clock: not remembered."""


def tree_digest(root: Path, files: Iterable[str]) -> str:
    """sha256 (hex) over names, contents, link targets and the executable bit of `files`, in their order."""
    key = hashlib.sha256(str(root).encode()).hexdigest()[:32]
    known: dict[str, Any] = cache.recall("contents", key) or {}
    fresh: dict[str, Any] = {}
    digest = hashlib.sha256()
    for name in files:
        kind, content = _describe(root / name, name, known, fresh)
        digest.update(f"{len(name)} {name}\0{kind} {content}\n".encode("utf-8", "surrogateescape"))
    if fresh != known:
        cache.remember("contents", key, fresh)
    return digest.hexdigest()


def settings_digest(*parts: object, env: Mapping[str, str] | None = None) -> str:
    """sha256 (hex) over JSON-able `parts`, the build's public env, and the format's number."""
    text = json.dumps([FORMAT, parts, dict(env or {})], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def file_digest(path: Path) -> str:
    """sha256 (hex) of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _describe(path: Path, name: str, known: dict[str, Any], fresh: dict[str, Any]) -> tuple[str, str]:
    info = path.lstat()
    if stat.S_ISLNK(info.st_mode):
        return "link", str(path.readlink())
    kind = "program" if info.st_mode & 0o111 else "file"
    identity = [info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns]
    if name in known and known[name][0] == identity:
        fresh[name] = known[name]
        return kind, known[name][1]
    content = file_digest(path)
    if time.time_ns() - max(info.st_mtime_ns, info.st_ctime_ns) > SETTLED_NS:
        fresh[name] = [identity, content]
    return kind, content
