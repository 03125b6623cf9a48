"""Images that were made to harm the machine that reads them, or the hosts that unpack what it ships.

Whatever an archive says: nothing is written outside of the folder for it, and every layer that is packed from
it passes the agent's own check of layers.
"""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from hosts.agent.layers import unpack
from slipway.build.image import files as image_files
from slipway.build.image.archive import read_archive
from slipway.build.image.files import read_files
from slipway.build.layer import pack
from slipway.settings import BadInput
from tests.unit.build.images import MadeImage, Member, file, folder, hard_link, layer, link, opaque, whiteout


@pytest.fixture(autouse=True)
def cache_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


def shipped(work: Path, *layers: bytes) -> dict[str, bytes | str]:
    """What a host has after it unpacked every layer of an image, by the agent's own code."""
    contents = work / "contents"
    contents.mkdir()
    image = read_archive(MadeImage(list(layers)).save_docker(work / "image.tar"), "x64", contents)
    files = read_files(image.layers, contents)
    found: dict[str, bytes | str] = {}
    for number in files.layers():
        packed = pack(files.entries(number))
        root = work / f"root-{number}"
        unpack(str(packed.path), str(root), packed.unpacked_size)
        for path in root.rglob("*"):
            name = str(path.relative_to(root))
            if path.is_symlink():
                found[name] = str(path.readlink())
            elif path.is_file():
                found[name] = path.read_bytes()
    return found


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "a/.."])
def test_a_name_that_climbs_is_refused(tmp_path: Path, name: str):
    work = tmp_path / "work"
    work.mkdir()
    with pytest.raises(BadInput, match="outside of its root"):
        shipped(work, layer(file(name, "x")))
    assert [path.name for path in tmp_path.iterdir()] == ["work"]


def test_an_absolute_name_and_a_link_to_the_machines_files_stay_in_the_image(tmp_path: Path):
    target = tmp_path / "outside"
    target.mkdir()
    work = tmp_path / "work"
    work.mkdir()
    changed = layer(file("out/evil", "2"), file("abs/x"))
    found = shipped(work, layer(link("out", str(target)), file("/abs", "1")), changed)
    assert list(target.iterdir()) == []
    assert found["abs/x"] == b""


def test_a_hard_link_through_a_link_does_not_read_the_machines_files(tmp_path: Path):
    with pytest.raises(BadInput, match="not in it"):
        shipped(tmp_path, layer(link("etc2", "/etc"), hard_link("stolen", "etc2/passwd")))


def test_a_whiteout_that_climbs_removes_nothing(tmp_path: Path):
    found = shipped(
        tmp_path, layer(file("a/b", "1"), file("c", "1")), layer(file("a/.wh..."), file("a/.wh.."))
    )
    assert {found["a/b"], found["c"]} == {b"1"}


def test_links_that_lead_to_each_other_end(tmp_path: Path):
    with pytest.raises(BadInput, match="loop"):
        shipped(tmp_path, layer(link("a", "b"), link("b", "a")), layer(file("a/x", "1")))


def test_a_file_of_holes_is_refused_before_it_fills_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(image_files, "MOST_BYTES", 1 << 20)
    sparse = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "holes"}
    path = tmp_path / "layer.tar"
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        info = tarfile.TarInfo("holes")
        info.pax_headers = {**sparse, "GNU.sparse.realsize": str(1 << 40)}
        info.size = 512
        tar.addfile(info, io.BytesIO(b"0\n".ljust(512, b"\0")))
    with pytest.raises(BadInput, match="becomes more than"):
        read_files([path], tmp_path)
    assert sum(each.stat().st_size for each in tmp_path.iterdir()) < 1 << 20


NAMES = st.sampled_from(
    ["a", "b", "a/b", "a/b/c", "b/a", "etc", "etc/hosts", "tmp", "tmp/a", "run", "var/run"]
)
TARGETS = st.sampled_from(
    ["a", "b", "/", "..", "/a", "../b", "../../../x", "a/../b", "/run", "etc/hosts", ".", "b/../../a/"]
)
MEMBERS = st.one_of(
    st.builds(file, NAMES, st.sampled_from(["", "1", "22"])),
    st.builds(folder, NAMES),
    st.builds(link, NAMES, TARGETS),
    st.builds(hard_link, NAMES, NAMES),
    st.builds(whiteout, NAMES),
    st.builds(opaque, NAMES),
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(layers=st.lists(st.lists(MEMBERS, max_size=6), min_size=1, max_size=3))
def test_whatever_an_image_holds_hosts_can_unpack_it_or_it_is_refused(
    tmp_path_factory: pytest.TempPathFactory, layers: list[list[Member]]
):
    work = tmp_path_factory.mktemp("image")
    try:
        shipped(work, *(layer(*members) for members in layers))
    except BadInput:
        return
    roots = [path for path in work.iterdir() if path.name.startswith("root-")]
    kinds: dict[str, set[bool]] = {}
    for root in roots:
        for path in root.rglob("*"):
            is_folder = path.is_dir() and not path.is_symlink()
            kinds.setdefault(str(path.relative_to(root)), set()).add(is_folder)
    assert all(len(kind) == 1 for kind in kinds.values())
