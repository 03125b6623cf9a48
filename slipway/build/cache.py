"""What slipway keeps on the operator's machine between builds, the digests it is found by, and build folders.

~/.cache/slipway/            XDG_CACHE_HOME moves it; all of it may be deleted at any time
  runtimes/bun-1.4.5-x64/    unpacked runtimes, each with .runtime/bin
  layers/sha256-….tar.zst    packed layers; those unused for two weeks are removed
  records/                   what is known about them: JSON by the digest of their inputs
  commands/<app>/            what package managers keep between builds; the sandbox's only cache
  work/<app>.<n>/            where a build runs; locked, and emptied before and after
"""

import fcntl
import hashlib
import json
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

UNUSED_SECONDS = 14 * 86400


def cache_dir() -> Path:
    """The cache's root; made if missing, readable by its owner only."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    root = Path(base) / "slipway"
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    return root


def layers_dir() -> Path:
    """Folder of the packed layers; made if missing."""
    folder = cache_dir() / "layers"
    folder.mkdir(exist_ok=True)
    return folder


def layer_path(digest: str) -> Path:
    """Path of the layer `sha256:<hex>`, whether or not it exists."""
    return layers_dir() / f"{digest.replace(':', '-')}.tar.zst"


def recall(kind: str, key: str) -> dict[str, Any] | None:
    """The record of `kind` made for `key`, or None; an unreadable one counts as none."""
    try:
        record = json.loads(_record(kind, key).read_text())
    except (OSError, ValueError):
        return None
    return cast("dict[str, Any]", record) if isinstance(record, dict) else None


def remember(kind: str, key: str, record: dict[str, Any]) -> None:
    """Keep `record` under `kind` and `key`, atomically."""
    path = _record(kind, key)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
        json.dump(record, file)
    Path(file.name).replace(path)


def _record(kind: str, key: str) -> Path:
    return cache_dir() / "records" / kind / f"{key.replace(':', '-')}.json"


def sweep() -> None:
    """Remove layers unused for two weeks, and files that an interrupted packing left a day ago."""
    now = time.time()
    for path in layers_dir().iterdir():
        age = UNUSED_SECONDS if path.name.endswith(".tar.zst") else 86400
        if now - path.stat().st_mtime > age:
            path.unlink(missing_ok=True)


@contextmanager
def workshop(name: str) -> Generator[Path]:
    """An empty folder for one build, removed afterwards.

    Its path is the same from build to build (`work/<name>.0`, or the next number while another build of that
    name runs): compilers write the path they ran in into what they make, and equal input must give equal
    output. A folder left by a killed build is emptied by the next, because its lock ended with its owner.
    """
    root = cache_dir() / "work"
    root.mkdir(exist_ok=True)
    for number in range(1000):
        lock = (root / f"{name}.{number}.lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            continue
        folder = root / f"{name}.{number}"
        with lock:
            remove(folder)
            folder.mkdir()
            try:
                yield folder
            finally:
                remove(folder)
            return
    raise RuntimeError(f"{root}: a thousand builds of {name} at once")


def remove(folder: Path) -> None:
    """Remove a folder, also where a build has made parts of it read-only."""

    def allow(function: Any, path: str, _error: Any) -> None:
        Path(path).parent.chmod(0o700)
        function(path)

    if folder.exists():
        shutil.rmtree(folder, onerror=allow)


FORMAT = 1
"""Raised when the same input would give another build: a change of the layer or manifest format."""

SETTLED_NS = 2_000_000_000
"""A file changed this recently may change again within one tick of its clock: not remembered."""


def tree_digest(root: Path, files: Iterable[str]) -> str:
    """sha256 (hex) over names, contents, link targets and the executable bit of `files`, in their order.

    Contents are hashed once and remembered by inode, size and times, so that a gigabyte of unchanged source
    costs a few thousand `stat` calls.
    """
    key = hashlib.sha256(str(root).encode()).hexdigest()[:32]
    known: dict[str, Any] = recall("contents", key) or {}
    fresh: dict[str, Any] = {}
    digest = hashlib.sha256()
    for name in files:
        kind, content = _describe(root / name, name, known, fresh)
        digest.update(f"{len(name)} {name}\0{kind} {content}\n".encode("utf-8", "surrogateescape"))
    if fresh != known:
        remember("contents", key, fresh)
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
