"""What counts as source, and what is refused."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from slipway.build.source import copy_files, read_source, refuse_dirty, shipped_files
from slipway.settings import BadInput, Build
from tests.unit.build.conftest import commit, git, write


def test_ignored_files_are_not_source_and_untracked_ones_are(tmp_path: Path) -> None:
    write(tmp_path, {".gitignore": ".env\ndist/\n", "a.ts": "1", ".env": "SECRET=1", "dist/x.js": "1"})
    commit(tmp_path)
    write(tmp_path, {"new.ts": "2"})
    source = read_source(tmp_path)
    assert source.files == (".gitignore", "a.ts", "new.ts")
    assert source.changed == ("new.ts",)
    assert source.subject == "First"
    assert len(source.sha) == 40


def test_a_folder_of_a_repository_is_judged_by_itself(tmp_path: Path) -> None:
    write(tmp_path, {"apps/api/a.ts": "1", "apps/web/b.ts": "1"})
    commit(tmp_path)
    write(tmp_path, {"apps/web/b.ts": "2"})
    assert read_source(tmp_path / "apps/api").files == ("a.ts",)
    assert not read_source(tmp_path / "apps/api").dirty
    assert read_source(tmp_path / "apps/web").changed == ("b.ts",)


def test_a_deleted_file_is_a_change_and_not_source(tmp_path: Path) -> None:
    write(tmp_path, {"a.ts": "1", "b.ts": "1"})
    commit(tmp_path)
    (tmp_path / "b.ts").unlink()
    source = read_source(tmp_path)
    assert source.files == ("a.ts",)
    assert source.changed == ("b.ts",)


def test_without_git_the_usual_litter_is_left_out(tmp_path: Path) -> None:
    write(
        tmp_path, {"a.ts": "1", "node_modules/x/i.js": "1", ".env": "S=1", ".slipway/k": "1", "é ü.txt": "1"}
    )
    source = read_source(tmp_path)
    assert source.files == ("a.ts", "é ü.txt")
    assert (source.sha, source.dirty) == ("", False)


def test_a_repository_that_git_cannot_read_is_refused_because_ignored_files_may_be_secrets(
    tmp_path: Path,
) -> None:
    write(tmp_path, {"a.ts": "1", ".git/HEAD": "nonsense"})
    with pytest.raises(BadInput, match="git refuses"):
        read_source(tmp_path)


def test_a_repository_inside_the_context_is_source_too(tmp_path: Path) -> None:
    write(tmp_path, {"a.ts": "1", "inner/b.ts": "1"})
    commit(tmp_path / "inner")
    commit(tmp_path)
    assert read_source(tmp_path).files == ("a.ts", "inner/b.ts")


@pytest.mark.parametrize("target", ["../outside", "/etc/hostname", "sub/../../outside"])
def test_a_link_out_of_the_context_is_refused_by_name(tmp_path: Path, target: str) -> None:
    write(tmp_path / "app", {"a.ts": "1"})
    (tmp_path / "app" / "bad").symlink_to(target)
    with pytest.raises(BadInput, match=r"bad is a link to .*, outside of the context"):
        read_source(tmp_path / "app")


def test_a_pipe_is_refused_by_name(tmp_path: Path) -> None:
    write(tmp_path, {"a.ts": "1"})
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadInput, match="pipe is neither a file nor a link"):
        read_source(tmp_path)


def test_a_stack_that_wants_commits_names_what_is_not_committed(tmp_path: Path) -> None:
    write(tmp_path, {"a.ts": "1"})
    with pytest.raises(BadInput, match="not at a commit"):
        refuse_dirty(read_source(tmp_path))
    commit(tmp_path)
    refuse_dirty(read_source(tmp_path))
    write(tmp_path, {"a.ts": "2"})
    with pytest.raises(BadInput, match="1 uncommitted") as refused:
        refuse_dirty(read_source(tmp_path))
    assert refused.value.details == ("a.ts",)


def test_an_empty_or_absent_context_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no files"):
        read_source(tmp_path)
    with pytest.raises(BadInput, match="no folder"):
        read_source(tmp_path / "nowhere")


def test_writing_into_the_copy_does_not_reach_the_source(tmp_path: Path) -> None:
    write(tmp_path / "app", {"a.txt": "source", "bin/run": "#!/bin/sh\n"})
    (tmp_path / "app/bin/run").chmod(0o700)
    (tmp_path / "app/link").symlink_to("bin/run")
    source = read_source(tmp_path / "app")
    copy_files(source.root, source.files, tmp_path / "copy")
    with (tmp_path / "copy/a.txt").open("r+") as file:
        file.write("COPY")
    assert (tmp_path / "app/a.txt").read_text() == "source"
    assert (tmp_path / "copy/bin/run").stat().st_mode & 0o777 == 0o755
    assert str((tmp_path / "copy/link").readlink()) == "bin/run"


@pytest.mark.skipif(not shutil.which("git"), reason="no git")
def test_before_the_first_commit_there_is_no_sha_and_everything_is_a_change(tmp_path: Path) -> None:
    write(tmp_path, {"a.ts": "1"})
    git(tmp_path, "init", "-q")
    source = read_source(tmp_path)
    assert (source.sha, source.subject, source.changed) == ("", "", ("a.ts",))


def test_what_include_and_exclude_leave_out_is_not_shipped(tmp_path: Path) -> None:
    write(tmp_path, {"src/a.ts": "1", "src/a.test.ts": "1", "fixtures/key.json": "1"})
    build = Build(include=["src/**"], exclude=["**/*.test.ts"])
    assert shipped_files(read_source(tmp_path), build) == ["src/a.ts"]


def test_whatever_a_command_builds_from_may_be_shipped(tmp_path: Path) -> None:
    write(tmp_path, {"main.go": "1", "bin/.keep": "1"})
    build = Build(command="go build -o bin/app .", include=["bin/**"])
    assert shipped_files(read_source(tmp_path), build) == ["bin/.keep", "main.go"]
