"""Measure a build of a large synthetic app: made, found again, and made with one file changed.

    uv run python -m bench.build [--megabytes 1024] [--files 20000] [--json]

Half of it is text that compresses and half noise that does not. All of it is removed afterwards.
"""

from __future__ import annotations

import os
import random
import resource
import tempfile
import time
from pathlib import Path

from bench.record import parser, record
from slipway.build.build import build
from slipway.settings import App, Project, Stack

WORDS = [f"word{number}" for number in range(5000)]


def main() -> None:
    wanted = parser(__doc__)
    wanted.add_argument("--megabytes", type=int, default=1024)
    wanted.add_argument("--files", type=int, default=20_000)
    given = wanted.parse_args()
    with tempfile.TemporaryDirectory(prefix="slipway-bench-") as place:
        os.environ["XDG_CACHE_HOME"] = f"{place}/cache"
        measure(Path(place) / "app", given.megabytes, given.files)


def measure(root: Path, megabytes: int, files: int) -> None:
    fill(root, megabytes, files)
    app = App.model_validate(
        {"name": "large", "runtime": {"name": "none"}, "processes": {"web": {"command": "./serve"}}}
    )
    stack = Stack(name="bench", project="large", platform="local")
    project = Project(root.parent, stack, app, root, root.parent / "state")
    before = peak_memory()
    made = build(project)
    layer = made.manifest.layers[0]
    time.sleep(2.1)  # contents are remembered once their files are two seconds old
    build(project)
    again = build(project)
    (root / "0" / "0.bin").write_bytes(b"changed")
    changed = build(project)
    assert again.manifest == made.manifest != changed.manifest

    how = f"context of {megabytes:,} MB in {files:,} files"
    record("build.made", made.seconds, "s", how)
    record("build.unchanged", again.seconds, "s", how)
    record("build.one-file-changed", changed.seconds, "s", how)
    record("build.layer", layer.size / 1e6, "MB", how)
    record("build.memory", peak_memory() - before, "MB", f"{how}; growth of the process")


def peak_memory() -> float:
    """The most memory that this process has held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def fill(root: Path, megabytes: int, files: int) -> None:
    size = megabytes * 1_000_000 // files
    dice = random.Random(1)
    for number in range(files):
        folder = root / str(number // 500)
        folder.mkdir(parents=True, exist_ok=True)
        if number % 2:
            text = " ".join(dice.choices(WORDS, k=size // 9 + 1))
            (folder / f"{number}.txt").write_text(text[:size])
        else:
            (folder / f"{number}.bin").write_bytes(dice.randbytes(size))


if __name__ == "__main__":
    main()
