"""An image as a build: what its config fills in, what is refused, and that layers are kept apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from slipway.build.build import Build, build
from slipway.settings import BadInput
from tests.unit.build.conftest import MakeProject, unpack
from tests.unit.build.images import MadeImage, Member, file, layer, link, program

BASE = layer(program("bin/sh"), file("etc/os-release", "ID=debian\n"))
CONFIG: dict[str, Any] = {
    "WorkingDir": "/srv/app",
    "Env": ["PATH=/usr/bin:/bin", "MODE=fast", "HOME=/root"],
    "Entrypoint": ["/srv/app/serve"],
    "Cmd": ["--port from the environment"],
    "StopSignal": "SIGQUIT",
    "ExposedPorts": {"3000/tcp": {}},
    "Volumes": {"/data": {}},
}


class Shop:
    """Builds the app `tiny` of an image whose archive is in the context."""

    def __init__(self, make_project: MakeProject, tmp_path: Path) -> None:
        self.make_project, self.folder = make_project, tmp_path / "app"
        self.folder.mkdir()

    def build(
        self, *members: Member, config: dict[str, Any] | None = None, architecture: str = "amd64", **app: Any
    ) -> Build:
        mine = layer(program("srv/app/serve", "1"), *members)
        image = MadeImage([BASE, mine], CONFIG | (config or {}), architecture)
        image.save_oci(self.folder / "image.tar")
        settings: dict[str, Any] = {"runtime": {"name": "image", "archive": "image.tar"}}
        settings |= {"processes": {"web": {}}} | app
        return build(self.make_project({"README": "x"}, **settings))


@pytest.fixture
def shop(make_project: MakeProject, tmp_path: Path) -> Shop:
    return Shop(make_project, tmp_path)


def test_what_slipway_toml_omits_is_the_images(shop: Shop):
    manifest = shop.build().manifest
    web = manifest.processes["web"]
    assert (web.command, web.directory) == ("/srv/app/serve '--port from the environment'", "srv/app")
    assert web.stop_signal == "SIGQUIT"
    assert manifest.image
    assert manifest.image.env == {"PATH": "/usr/bin:/bin", "MODE": "fast"}
    assert manifest.image.ports == ["3000/tcp"]
    assert manifest.image.digest.startswith("sha256:")
    assert [note.split()[2] for note in manifest.notes] == ["user", "exposes", "volumes"]


def test_what_slipway_toml_says_comes_first(shop: Shop):
    web = {"command": "sh -c 'exec ./serve'", "directory": "srv", "stop_signal": "SIGINT"}
    worker = {"command": "./serve --work"}
    processes = shop.build(processes={"web": web, "jobs": worker}).manifest.processes
    assert processes["web"].command == "/bin/sh -c 'exec ./serve'"
    assert (processes["web"].directory, processes["web"].stop_signal) == ("srv", "SIGINT")
    assert processes["jobs"].command == "/srv/app/./serve --work"


def test_a_changed_app_leaves_the_layers_of_its_base_image_as_they_were(shop: Shop):
    first = [each.digest for each in shop.build(file("srv/app/a", "1")).manifest.layers]
    second = [each.digest for each in shop.build(file("srv/app/a", "2")).manifest.layers]
    assert (first[0], first[2]) == (second[0], second[2])
    assert first[1] != second[1]


def test_the_layers_hold_the_files_and_the_places_to_mount_at(shop: Shop, tmp_path: Path):
    made = shop.build(link("srv/app/tool", "/bin/sh"))
    out = tmp_path / "out"
    for path in made.layers.values():
        unpack(path, out)
    assert (out / "srv/app/tool").resolve() == out / "bin/sh"
    assert (out / "bin/sh").stat().st_mode & 0o111
    assert (out / "proc").is_dir()
    assert (out / "etc/resolv.conf").read_bytes() == b""


def test_migrations_are_read_where_the_image_works(shop: Shop):
    manifest = shop.build(
        file("srv/app/migrations/1.up.sql", "select 1"),
        migrate={"command": "sh -c ./migrate", "files": "migrations/*.up.sql"},
    ).manifest
    assert [each.id for each in manifest.migrations] == ["1"]
    assert manifest.migrate
    assert (manifest.migrate.command, manifest.migrate.directory) == ("/bin/sh -c ./migrate", "srv/app")


def test_the_sbom_names_the_images_packages(shop: Shop):
    status = "Package: libc6\nStatus: install ok installed\nVersion: 2.36-9\n"
    sbom = json.loads(shop.build(file("var/lib/dpkg/status", status)).sbom)
    assert [each["purl"] for each in sbom["components"]] == ["pkg:deb/debian/libc6@2.36-9"]


def test_an_archive_that_git_ignores_counts_as_input(shop: Shop):
    assert shop.build().origin == "made"
    assert shop.build().origin == "cache"
    assert shop.build(file("new", "x")).origin == "made"


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"Entrypoint": None, "Cmd": None}, "the image has neither ENTRYPOINT nor CMD"),
        ({"Entrypoint": ["/gone"]}, "the image has no program /gone"),
        ({"Entrypoint": ["gone"]}, "the image has no program gone"),
        ({"Entrypoint": ["/etc/os-release"]}, "the image has no program /etc/os-release"),
        ({"WorkingDir": "/gone"}, "the image has no folder /gone"),
        ({"StopSignal": "SIGRTMIN+3"}, "STOPSIGNAL is SIGRTMIN"),
        ({"Volumes": {"/var/run/docker.sock": {}}}, "a container engine's socket"),
        ({"Env": ["DOCKER_HOST=unix:///run/docker.sock"]}, "a container engine's socket"),
        ({"Entrypoint": ["/sbin/init"]}, "is systemd, which runs only in a privileged container"),
    ],
)
def test_what_cannot_work_is_refused(shop: Shop, config: dict[str, Any], why: str):
    systemd = [program("lib/systemd/systemd"), link("sbin/init", "/lib/systemd/systemd")]
    with pytest.raises(BadInput, match=why):
        shop.build(*systemd, config=config)


def test_an_image_for_other_hosts_is_refused(shop: Shop):
    with pytest.raises(BadInput, match="the image is for arm64"):
        shop.build(architecture="arm64")


def test_a_missing_archive_is_refused_with_the_command_that_writes_it(make_project: MakeProject):
    project = make_project(
        {"a": ""}, runtime={"name": "image", "archive": "image.tar"}, processes={"web": {}}
    )
    with pytest.raises(BadInput, match=r"runtime\.archive: there is no file"):
        build(project)
