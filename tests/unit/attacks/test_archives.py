"""Layers that are not what the manifest declares: larger, deeper, or never ending.

`test_generated…` found, before sizes and depth were enforced, archives that became more than they declared
(one of 32 kB, declared as 1 byte, 1 GiB), and trees of 1,500 levels, which no later `prune` could delete.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from hosts.agent import builds, layers
from hosts.agent.errors import AgentError
from hosts.agent.json_object import JsonObject
from hosts.agent.layers import MOST_LEVELS, SLACK, unpack
from tests.unit.agent.conftest import World

pytestmark = pytest.mark.skipif(not shutil.which("zstd"), reason="needs zstd")
MIB = 1 << 20


def packed(tar: bytes) -> bytes:
    return subprocess.run(["zstd", "-qc"], input=tar, capture_output=True, check=True).stdout


def archive(members: list[tuple[str, int]]) -> bytes:
    """Files of these names and sizes, all zeros."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, size in members:
            info = tarfile.TarInfo(name)
            info.size = size
            tar.addfile(info, io.BytesIO(bytes(size)))
    return packed(buffer.getvalue())


def size_of(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


def refused(tmp_path: Path, content: bytes, declared: int) -> str:
    file = tmp_path / "layer.tar.zst"
    file.write_bytes(content)
    with pytest.raises(AgentError) as error:
        unpack(str(file), str(tmp_path / "root"), declared)
    assert error.value.code == "bad_layer"
    return error.value.message


def test_exploit_a_small_archive_becomes_more_than_it_declares(tmp_path: Path):
    bomb = archive([("zeros", 256 * MIB)])
    assert len(bomb) < 64_000
    assert "declared" in refused(tmp_path, bomb, 1)
    assert size_of(tmp_path / "root") <= 2 * SLACK


def test_exploit_a_sparse_file_is_larger_than_it_declares(tmp_path: Path):
    """GNU tar writes holes: the archive's stream is short, the file long."""
    sparse = tmp_path / "sparse"
    with sparse.open("wb") as file:
        file.truncate(1 << 34)
    tar = subprocess.run(
        ["tar", "-cS", "-C", str(tmp_path), "sparse"], capture_output=True, check=True
    ).stdout
    sparse.unlink()
    assert "declared" in refused(tmp_path, packed(tar), 4096)


def test_exploit_a_tree_too_deep_to_delete_is_refused_and_deleted(world: World):
    """1,500 levels; what was unpacked is gone afterwards."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        info = tarfile.TarInfo("/".join(["d"] * 1500) + "/x")
        tar.addfile(info, io.BytesIO(b""))
    folder = Path(world.paths.work)
    folder.mkdir(parents=True)
    root = folder / "deep"
    (folder / "deep.tar.zst").write_bytes(packed(buffer.getvalue()))
    try:
        with pytest.raises(AgentError, match="levels"):
            unpack(str(folder / "deep.tar.zst"), str(root), 10_000)
        world.ask(builds.prune, keep=2)
        assert list(folder.iterdir()) == []
    finally:
        # pytest cannot delete such a tree either: each later run on this machine would end with that error.
        subprocess.run(["rm", "-rf", str(root)], check=True)


def test_a_download_that_never_ends_is_ended(world: World, monkeypatch: pytest.MonkeyPatch):
    def endless(*_: object) -> object:
        while True:
            yield bytes(MIB)

    monkeypatch.setattr(layers.aws, "download", endless)
    fields = {"kind": "app", "digest": f"sha256:{'0' * 64}", "size": 3 * MIB, "unpacked_size": 4096}
    with pytest.raises(AgentError) as error:
        layers.fetch(world.paths, world.host.builds(), [layers.Layer(JsonObject(fields, "layer"))])
    assert error.value.code == "corrupt_layer"
    assert list(Path(world.paths.work).iterdir()) == []


NAMES = st.builds("/".join, st.lists(st.sampled_from(["a", "b", "n" * 120, "é"]), min_size=1, max_size=150))
MEMBERS = st.lists(
    st.tuples(NAMES, st.sampled_from([0, 1, 511, 4096, 4097, 3 * MIB])), min_size=1, max_size=4
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(members=MEMBERS, declared=st.sampled_from([0, 1, 4096, MIB, 16 * MIB]))
def test_generated_archives_become_no_more_than_they_declare(
    tmp_path: Path, members: list[tuple[str, int]], declared: int
):
    root = tmp_path / "root"
    (tmp_path / "layer").write_bytes(archive(members))
    try:
        unpack(str(tmp_path / "layer"), str(root), declared)
    except AgentError as refused:
        assert refused.code == "bad_layer"
    else:
        assert size_of(root) <= declared + SLACK
        assert max(len(name.split("/")) for name, _ in members) <= MOST_LEVELS + 1
    finally:
        layers.delete(str(root))
    assert not root.exists()


def test_what_slipway_packs_fits_what_it_declares(tmp_path: Path):
    """Files of 4,096 bytes with long names have the most overhead in an archive."""
    members = [(f"{'n' * 200}/{index:0>250}", 4096) for index in range(800)]
    (tmp_path / "layer").write_bytes(archive(members))
    unpack(str(tmp_path / "layer"), str(tmp_path / "root"), 4096 * 800)
