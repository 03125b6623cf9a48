"""Reading an image: what its archive proves, and the file system that its layers make together."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Any

import pytest

from slipway.build.image import archive as archives
from slipway.build.image.archive import read_archive
from slipway.build.image.files import BOUND, MOUNTED, Files, read_files
from slipway.build.image.packages import installed
from slipway.settings import BadInput
from tests.unit.build.images import MadeImage, file, folder, hard_link, layer, link, program, write_tar

CONFIG: dict[str, Any] = {
    "User": "node",
    "WorkingDir": "/srv/app",
    "Env": ["PATH=/usr/bin:/bin", "GREETING=a=b"],
    "Entrypoint": ["/entry"],
    "Cmd": ["serve", "--fast"],
    "ExposedPorts": {"3000/tcp": {}},
    "StopSignal": "SIGQUIT",
}


def laid(tmp_path: Path, *layers: bytes) -> Files:
    """The file system of these layers."""
    paths = [tmp_path / f"layer-{number}.tar" for number in range(len(layers))]
    for path, content in zip(paths, layers, strict=True):
        path.write_bytes(content)
    return read_files(paths, tmp_path)


def shown(files: Files) -> dict[str, str]:
    """What an image's author put there: contents of files, targets of links."""
    return {
        name: f"-> {node.target}" if node.kind == "link" else node.origin.read_text()
        for name, node in files.nodes.items()
        if node.kind != "folder" and name not in BOUND
    }


@pytest.mark.parametrize("compressed", ["", "gzip", "zstd"])
@pytest.mark.parametrize("form", ["save_oci", "save_docker"])
def test_an_archive_is_read_in_either_form(tmp_path: Path, form: str, compressed: str):
    made = MadeImage([layer(file("a", "1")), layer(file("b", "2"))], CONFIG, compressed=compressed)
    path = getattr(made, form)(tmp_path / "image.tar")
    image = read_archive(path, "x64", tmp_path)
    assert [each.read_bytes() for each in image.layers] == made.layers
    config = image.config
    assert (config.user, config.directory, config.stop_signal) == ("node", "/srv/app", "SIGQUIT")
    assert config.env == {"PATH": "/usr/bin:/bin", "GREETING": "a=b"}
    assert config.entrypoint == ("/entry", "serve", "--fast")
    assert config.ports == ("3000/tcp",)
    assert image.digest.startswith("sha256:")


@pytest.mark.parametrize("form", ["save_oci", "save_docker"])
def test_another_architecture_is_refused_with_both_names(tmp_path: Path, form: str):
    path = getattr(MadeImage([layer(file("a"))], architecture="arm64"), form)(tmp_path / "image.tar")
    with pytest.raises(BadInput, match=r"arm64; this machine builds for linux on amd64"):
        read_archive(path, "x64", tmp_path)


def test_a_layer_that_was_exchanged_is_refused(tmp_path: Path):
    made = MadeImage([layer(file("a", "good"))])
    path = made.save_docker(tmp_path / "image.tar")
    path.write_bytes(path.read_bytes().replace(b"good", b"evil"))
    with pytest.raises(BadInput, match=r"layer 0/layer\.tar has digest"):
        read_archive(path, "x64", tmp_path)


def test_a_config_that_was_changed_is_refused(tmp_path: Path):
    made = MadeImage([layer(file("a", "good"))], CONFIG)
    for form in (made.save_docker, made.save_oci):
        path = form(tmp_path / "image.tar")
        path.write_bytes(path.read_bytes().replace(b"--fast", b"--slow"))
        with pytest.raises(BadInput, match="has digest"):
            read_archive(path, "x64", tmp_path)


@pytest.mark.parametrize("content", [b"", b"no archive", b"\x1f\x8b broken"])
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes):
    path = tmp_path / "image.tar"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=r"image\.tar"):
        read_archive(path, "x64", tmp_path)


def test_an_archive_without_an_image_is_refused(tmp_path: Path):
    with pytest.raises(BadInput, match=r"neither index\.json nor manifest\.json"):
        read_archive(write_tar(tmp_path / "image.tar", {"a": b""}), "x64", tmp_path)


def test_an_image_that_becomes_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(archives, "MOST_BYTES", 1 << 20)
    path = MadeImage([layer(file("zeros", bytes(2 << 20)))], compressed="gzip").save_oci(tmp_path / "i.tar")
    assert path.stat().st_size < 20_000 + (1 << 14)
    with pytest.raises(BadInput, match="becomes more than"):
        read_archive(path, "x64", tmp_path)


def test_a_whiteout_removes_what_lower_layers_have_and_nothing_of_its_own(tmp_path: Path):
    files = laid(
        tmp_path,
        layer(file("etc/a", "1"), file("etc/b", "1"), file("lib/x/y", "1"), file("lib/z", "1")),
        layer(file("etc/.wh.a"), file("etc/c", "2"), file("lib/.wh.x"), file("lib/x", "2")),
    )
    assert shown(files) == {"etc/b": "1", "etc/c": "2", "lib/x": "2", "lib/z": "1"}


def test_an_opaque_folder_hides_what_is_below_it_and_keeps_its_own(tmp_path: Path):
    files = laid(
        tmp_path,
        layer(file("app/old", "1"), file("app/deep/old", "1"), file("application", "1")),
        layer(folder("app"), file("app/new", "2"), file("app/.wh..wh..opq")),
    )
    assert shown(files) == {"app/new": "2", "application": "1"}


def test_a_file_replaces_a_folder_and_a_folder_a_file(tmp_path: Path):
    files = laid(
        tmp_path,
        layer(file("one/below", "1"), file("two", "1"), link("three", "one")),
        layer(file("one", "2"), file("two/below", "2"), folder("three"), file("three/x", "2")),
    )
    assert shown(files) == {"one": "2", "two/below": "2", "three/x": "2"}


def test_a_file_below_a_link_is_written_where_the_link_leads_within_the_image(tmp_path: Path):
    files = laid(
        tmp_path,
        layer(folder("usr/lib"), link("lib", "usr/lib"), link("out", "/../../etc")),
        layer(file("lib/new", "2"), file("out/passwords", "2")),
    )
    assert shown(files) == {
        "lib": "-> usr/lib", "usr/lib/new": "2", "out": "-> etc", "etc/passwords": "2"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "target", "portable"),
    [
        ("etc/alternatives/awk", "/usr/bin/mawk", "../../usr/bin/mawk"),
        ("usr/bin/awk", "../../etc/awk", "../../etc/awk"),
        ("a/b", "../../../../etc/x", "../etc/x"),
        ("a/b", "c/../d", "d"),
        ("a/b", "/", ".."),
        ("root", "/", "."),
        ("a/b", "linked/../d", "../far/d"),
    ],
)
def test_a_link_stays_within_the_root(tmp_path: Path, name: str, target: str, portable: str):
    files = laid(tmp_path, layer(folder("far/away"), link("a/linked", "/far/away"), link(name, target)))
    assert files.nodes[name].target == portable


def test_hard_links_are_one_file_and_links_to_it(tmp_path: Path):
    files = laid(tmp_path, layer(program("bin/busybox", "X"), hard_link("bin/sh", "bin/busybox")))
    assert shown(files) == {"bin/busybox": "X", "bin/sh": "-> busybox"}
    assert files.nodes["bin/busybox"].program


def test_a_hard_link_keeps_its_content_when_the_other_name_is_replaced(tmp_path: Path):
    first = layer(file("a", "1"), hard_link("b", "a"))
    assert shown(laid(tmp_path, first, layer(file("a", "2")))) == {"a": "2", "b": "1"}


def test_a_hard_link_to_nothing_is_refused(tmp_path: Path):
    with pytest.raises(BadInput, match="hard link b to a"):
        laid(tmp_path, layer(hard_link("b", "a")))


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_a_device_is_refused_but_for_those_that_hosts_hide(tmp_path: Path, kind: bytes):
    assert "dev/null" not in laid(tmp_path, layer(("dev/null", {"type": kind}))).nodes
    with pytest.raises(BadInput, match="srv/sda, which is a device"):
        laid(tmp_path, layer(("srv/sda", {"type": kind})))


def test_what_hosts_mount_over_is_there_and_empty(tmp_path: Path):
    files = laid(
        tmp_path,
        layer(file("run/x", "1"), file("tmp/y", "1"), link("var/run", "/run"), file("etc/hosts", "1")),
        layer(file("var/run/z", "2"), link("sys", "/etc")),
    )
    assert {name for name in files.nodes if name.startswith(("run", "tmp", "sys"))} == {"run", "tmp", "sys"}
    assert all(files.nodes[name].kind == "folder" for name in MOUNTED)
    assert all(files.nodes[name].origin.read_bytes() == b"" for name in BOUND)


def test_each_file_stays_with_its_own_layer(tmp_path: Path):
    """So a base image's layer is the same for every release of the app on it."""
    files = laid(tmp_path, layer(file("base/a", "1")), layer(file("app/b", "2")), layer(file("app/b", "3")))
    assert [[e.name for e in files.entries(n) if e.kind == "file"] for n in files.layers()] == [
        ["base/a"], ["app/b"], sorted(BOUND)
    ]  # fmt: skip


def test_packages_come_from_the_images_own_databases(tmp_path: Path):
    status = (
        "Package: libc6\nStatus: install ok installed\nVersion: 2.36-9\n\n"
        "Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n"
    )
    found = installed(
        laid(
            tmp_path,
            layer(
                file("etc/os-release", 'ID=ubuntu\nNAME="Ubuntu"\n'),
                file("var/lib/dpkg/status", status),
                file("var/lib/dpkg/status.d/tzdata", "Package: tzdata\nVersion: 2025b\n"),
                file("lib/apk/db/installed", "C:x\nP:musl\nV:1.2.5-r9\n\nP:zlib\nV:1.3-r2\n"),
            ),
        )
    )
    assert [(each.ecosystem, each.name, each.version) for each in found] == [
        ("apk", "ubuntu/musl", "1.2.5-r9"),
        ("apk", "ubuntu/zlib", "1.3-r2"),
        ("deb", "ubuntu/libc6", "2.36-9"),
        ("deb", "ubuntu/tzdata", "2025b"),
    ]
