"""What slipway keeps on the operator's machine between builds, and the folder a build works in.

~/.cache/slipway/            XDG_CACHE_HOME moves it; all of it may be deleted at any time
  runtimes/bun-1.4.5-x64/    unpacked runtimes, each with .runtime/bin
  layers/sha256-….tar.zst    packed layers; those unused for two weeks are removed
  records/                   what is known of them: JSON by digest of what they were made from
  work/<app>.<n>/            where a build runs; locked, and emptied before and after
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
import time
from collections.abc import Generator
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
    """Where packed layers lie."""
    folder = cache_dir() / "layers"
    folder.mkdir(exist_ok=True)
    return folder


def layer_path(digest: str) -> Path:
    """Where the layer called `sha256:<hex>` lies, present or not."""
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
    """Remove layers that no build has used for two weeks, and packing that was cut short a day ago."""
    now = time.time()
    for path in layers_dir().iterdir():
        age = UNUSED_SECONDS if path.name.endswith(".tar.zst") else 86400
        if now - path.stat().st_mtime > age:
            path.unlink(missing_ok=True)


@contextmanager
def workshop(name: str) -> Generator[Path]:
    """An empty folder for one build, removed afterwards.

    Its path is the same from build to build (`work/<name>.0`, or the next number while another build of that
    name runs): compilers write the path they ran in into what they make, and equal input shall give equal
    output. A folder left by a killed build is emptied by the next, because the lock died with its owner.
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
