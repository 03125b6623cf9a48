"""Measure a build of a large synthetic app: made, found again, and made with one file changed.

    uv run python bench/build.py [--megabytes 1024] [--files 20000] [--json]

Half of it is text that compresses and half noise that does not. All of it is removed afterwards.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import tempfile
import time
from pathlib import Path

from slipway.build.build import build
from slipway.settings.app import App
from slipway.settings.project import Project
from slipway.settings.stack import Stack

WORDS = [f"word{number}" for number in range(5000)]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--megabytes", type=int, default=1024)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="slipway-bench-") as place:
        os.environ["XDG_CACHE_HOME"] = f"{place}/cache"
        found = measure(Path(place) / "app", asked.megabytes, asked.files)
    print(
        json.dumps(found) if asked.json else "\n".join(f"{name:28} {value}" for name, value in found.items())
    )


def measure(root: Path, megabytes: int, files: int) -> dict[str, float]:
    fill(root, megabytes, files)
    app = App.model_validate(
        {"name": "large", "runtime": {"name": "none"}, "processes": {"web": {"command": "./serve"}}}
    )
    stack = Stack(name="bench", project="large", platform="local")
    project = Project(root.parent, stack, app, root, root.parent / "state")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    made = build(project)
    layer = made.manifest.layers[0]
    time.sleep(2.1)  # contents are remembered once their files are two seconds old
    build(project)
    again = build(project)
    (root / "0" / "0.bin").write_bytes(b"changed")
    changed = build(project)
    assert again.manifest == made.manifest != changed.manifest
    return {
        "context_mb": megabytes,
        "files": files,
        "made_seconds": round(made.seconds, 2),
        "layer_mb": round(layer.size / 1e6, 1),
        "unpacked_mb": round(layer.unpacked_size / 1e6, 1),
        "unchanged_seconds": round(again.seconds, 3),
        "one_file_changed_seconds": round(changed.seconds, 2),
        "memory_grown_mb": round((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024, 1),
    }


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
