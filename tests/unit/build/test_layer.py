"""Equal trees give equal layers, and a host gets back what went in."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from slipway.build import cache
from slipway.build.layer import collect, pack, recalled, record_of
from tests.unit.build.conftest import unpack, write

names = st.text("abcü-_ .", min_size=1, max_size=12).filter(lambda name: name.strip(". "))
trees = st.dictionaries(
    st.lists(names, min_size=1, max_size=3).map("/".join),
    st.tuples(st.binary(max_size=300), st.booleans()),
    min_size=1,
    max_size=8,
).filter(lambda tree: not any(f"{one}/" == two[: len(one) + 1] for one in tree for two in tree))


def lay(root: Path, tree: dict[str, tuple[bytes, bool]], time: int) -> Path:
    for name, (content, program) in tree.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o711 if program else 0o600)
        os.utime(path, (time, time))
    return root


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(trees, st.integers(1, 2_000_000_000), st.sampled_from(["fixed", "content"]))
def test_the_same_tree_is_the_same_layer_in_another_folder_at_another_time_on_other_cores(
    cache_home: Path, tree: dict[str, tuple[bytes, bool]], time: int, times: str
) -> None:
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        first = pack(collect(lay(Path(one), tree, 5), lambda _: True), times=times, threads=1)  # type: ignore[arg-type]
        reordered = dict(reversed(tree.items()))
        again = collect(lay(Path(other), reordered, time), lambda _: True)
        second = pack(again, times=times, threads=3)  # type: ignore[arg-type]
    assert first == second


def test_a_large_layer_does_not_depend_on_the_number_of_threads(tmp_path: Path) -> None:
    for number in range(6):
        (tmp_path / f"{number}.bin").write_bytes(
            os.urandom(1 << 20) * 4 + bytes(1 << 20) + str(number).encode()
        )
    entries = collect(tmp_path, lambda _: True)
    assert len({pack(entries, threads=threads).digest for threads in (1, 2, 5)}) == 1


def test_a_host_gets_back_content_modes_and_links(tmp_path: Path) -> None:
    write(tmp_path / "in", {"a/b.txt": "text", "bin/run": "#!/bin/sh\n", "long/" + "x" * 120 + "/ü.txt": "1"})
    (tmp_path / "in/bin/run").chmod(0o4755)
    (tmp_path / "in/a/link").symlink_to("../bin/run")
    (tmp_path / "in/dangling").symlink_to("not/there/yet")
    layer = pack(collect(tmp_path / "in", lambda _: True))
    out = unpack(layer.path, tmp_path / "out")
    assert (out / "a/b.txt").read_text() == "text"
    assert (out / f"long/{'x' * 120}/ü.txt").read_text() == "1"
    assert (out / "bin/run").stat().st_mode & 0o7777 == 0o755
    assert (out / "a/b.txt").stat().st_mode & 0o7777 == 0o644
    assert str((out / "a/link").readlink()) == "../bin/run"
    assert str((out / "dangling").readlink()) == "not/there/yet"
    assert layer.digest == f"sha256:{layer.path.name.removeprefix('sha256-').removesuffix('.tar.zst')}"
    assert layer.size == layer.path.stat().st_size


def test_an_edited_file_of_equal_size_gets_another_time_so_that_browsers_ask_again(tmp_path: Path) -> None:
    times: list[float] = []
    for content in ("v1", "v2", "v1"):
        write(tmp_path / "in", {"app.js": content})
        layer = pack(collect(tmp_path / "in", lambda _: True), times="content")
        times.append(unpack(layer.path, tmp_path / f"out{len(times)}").joinpath("app.js").stat().st_mtime)
    assert times[0] == times[2] != times[1]


def test_packing_that_fails_leaves_nothing_behind(tmp_path: Path, cache_home: Path) -> None:
    write(tmp_path, {"a": "1", "b": "2"})
    entries = collect(tmp_path, lambda _: True)
    (tmp_path / "b").unlink()
    with pytest.raises(FileNotFoundError):
        pack(entries)
    assert list(cache.layers_dir().iterdir()) == []


def test_a_layer_is_recalled_only_while_its_file_is_whole(tmp_path: Path) -> None:
    write(tmp_path, {"a": "1"})
    layer = pack(collect(tmp_path, lambda _: True))
    assert recalled(record_of(layer)) == layer
    layer.path.write_bytes(b"cut")
    assert recalled(record_of(layer)) is None
    assert recalled(None) is None


def test_the_sweep_removes_what_was_not_used_for_two_weeks(tmp_path: Path) -> None:
    write(tmp_path, {"a": "1"})
    old = pack(collect(tmp_path, lambda _: True))
    write(tmp_path, {"a": "2"})
    new = pack(collect(tmp_path, lambda _: True))
    os.utime(old.path, (1, 1))
    cache.sweep()
    assert (old.path.exists(), new.path.exists()) == (False, True)
