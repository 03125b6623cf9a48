"""The input digest moves with what matters, and with nothing else."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from slipway.build.cache import settings_digest, tree_digest
from tests.unit.build.conftest import write

FILES = ["a.txt", "bin/run", "link"]


def make(root: Path) -> Path:
    write(root, {"a.txt": "one", "bin/run": "#!/bin/sh\n"})
    (root / "bin/run").chmod(0o755)
    (root / "link").symlink_to("a.txt")
    return root


def test_place_and_time_do_not_matter(tmp_path: Path) -> None:
    first, second = make(tmp_path / "first"), make(tmp_path / "else" / "where")
    os.utime(second / "a.txt", (1, 1))
    assert tree_digest(first, FILES) == tree_digest(second, FILES)


def test_content_mode_name_and_link_matter(tmp_path: Path) -> None:
    root = make(tmp_path / "app")
    digests = {tree_digest(root, FILES)}
    (root / "a.txt").write_text("two")
    digests.add(tree_digest(root, FILES))
    (root / "a.txt").chmod(0o755)
    digests.add(tree_digest(root, FILES))
    (root / "link").unlink()
    (root / "link").symlink_to("bin/run")
    digests.add(tree_digest(root, FILES))
    shutil.move(root / "a.txt", root / "b.txt")
    digests.add(tree_digest(root, ["b.txt", "bin/run", "link"]))
    assert len(digests) == 5


def test_a_change_of_equal_size_that_keeps_its_time_is_seen(tmp_path: Path) -> None:
    root = make(tmp_path / "app")
    os.utime(root / "a.txt", (1, 1))
    before = tree_digest(root, FILES)
    assert tree_digest(root, FILES) == before
    (root / "a.txt").write_text("two")
    os.utime(root / "a.txt", (1, 1))
    assert tree_digest(root, FILES) != before


def test_settings_and_public_env_matter() -> None:
    assert settings_digest("a", env={"VITE_A": "1"}) == settings_digest("a", env={"VITE_A": "1"})
    assert settings_digest("a", env={"VITE_A": "1"}) != settings_digest("a", env={"VITE_A": "2"})
    assert settings_digest("a") != settings_digest("b")
