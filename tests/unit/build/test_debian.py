"""Debian packages in the runtime layer: apt proves them, and their programs run wherever the layer is put."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from slipway.build.runtime import Installed, install, runtime_layer
from slipway.settings import BadInput, Runtime, SlipwayError
from tests.unit.build.conftest import unpack

DEBIAN = Path("/etc/debian_version").exists()
pytestmark = pytest.mark.skipif(not DEBIAN, reason="builds with runtime.apt need Debian or Ubuntu")
MACHINE = subprocess.run(
    ["dpkg", "--print-architecture"], capture_output=True, text=True, check=False
).stdout.strip()


def deb(
    folder: Path, name: str, files: dict[str, bytes], *, version: str = "1.0-1", depends: str = ""
) -> str:
    """Make a package; its paragraph of the index `Packages`."""
    tree = folder / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    for path, content in files.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_bytes(content)
        (tree / path).chmod(0o755)
    control = (
        f"Package: {name}\nVersion: {version}\nArchitecture: {MACHINE}\nMaintainer: me <me@example.org>\n"
    )
    control += f"Depends: {depends}\n" if depends else ""
    control += "Description: made by a test\n"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(control)
    file = folder / f"{name}_{version}_{MACHINE}.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", tree, file], check=True, capture_output=True)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return control + f"Filename: ./{file.name}\nSize: {file.stat().st_size}\nSHA256: {digest}\n\n"


def machine_file(path: str) -> bytes:
    return Path(path).resolve().read_bytes()


LIBC = next(iter(Path("/usr/lib").glob("*-linux-gnu/libc.so.6")), Path("/usr/lib/none/libc.so.6"))
LOADER = next(iter([*Path("/lib64").glob("ld-linux-*.so.*"), *Path("/lib").glob("ld-linux-*.so.*")]), LIBC)
Publish = Callable[..., None]


@pytest.fixture
def publish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Publish]:
    """A repository with `greet`, a program that needs its libraries, and `greet-data`; apt's only source."""
    repository = tmp_path / "repository"
    repository.mkdir()

    def make(version: str = "1.0-1", options: str = "[trusted=yes] ") -> None:
        libraries = {
            f"usr/lib/{LIBC.parent.name}/libc.so.6": machine_file(str(LIBC)),
            str(LOADER).lstrip("/"): machine_file(str(LOADER)),
        }
        programs = {
            "usr/bin/greet": machine_file("/usr/bin/uname"),
            "usr/bin/greet-script": b"#!/usr/bin/greet\nnothing\n",
            "usr/sbin/greetd": f"#!/bin/sh\necho served {version}\n".encode(),
        }
        index = deb(repository, "greet-libraries", libraries)
        index += deb(repository, "greet", programs, version=version, depends="greet-libraries, debconf")
        index += deb(repository, "debconf", {"usr/bin/debconf": b"#!/bin/sh\n"})
        (repository / "Packages").write_text(index)
        sources = tmp_path / "sources.list"
        sources.write_text(f"deb {options}copy:{repository} ./\n")
        config = tmp_path / "apt.conf"
        config.write_text(f'Dir::Etc::sourcelist "{sources}";\nDir::Etc::sourceparts "/dev/null";\n')
        monkeypatch.setenv("APT_CONFIG", str(config))

    make()
    yield make


def on_host(installed: Installed, folder: Path, *command: str) -> str:
    """What `command` writes where the layer is unpacked, as on a host."""
    out = unpack(runtime_layer(installed).path, folder) if not folder.exists() else folder
    env = {"PATH": f"{out}/.runtime/bin:/usr/bin:/bin", "HOME": "/nonexistent", "LANG": "C.UTF-8"}
    done = subprocess.run(command, cwd=out, env=env, capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).strip()


def greet(**keys: object) -> Runtime:
    return Runtime.model_validate({"name": "debian", "apt": ["greet"], **keys})


def test_a_program_runs_with_its_own_libraries_wherever_the_layer_is(
    publish: Publish, tmp_path: Path
) -> None:
    installed = install(greet())
    assert installed is not None
    moved = tmp_path / "host"
    assert on_host(installed, moved, "greet", "-s") == "Linux"
    assert on_host(installed, moved, "greetd") == "served 1.0-1"
    mapped = on_host(installed, moved, "sh", "-c", "exec sh -x .runtime/bin/greet 2>&1")
    assert f"exec {moved}/.runtime/debian/" in mapped, "started by its own loader"


def test_dependencies_are_there_and_what_only_installs_packages_is_not(publish: Publish) -> None:
    installed = install(greet())
    assert installed is not None
    assert sorted(each.name for each in installed.debs) == ["greet", "greet-libraries"]
    assert not (installed.bin / "debconf").exists()


def test_a_script_finds_its_interpreter_in_the_layer(publish: Publish) -> None:
    installed = install(greet())
    assert installed is not None
    assert (installed.bin / "greet-script").read_text().startswith("#!/usr/bin/env greet\n")


def test_a_source_that_nothing_signs_is_refused(publish: Publish, cache_home: Path) -> None:
    publish(options="")
    with pytest.raises(SlipwayError, match="apt could not read") as failed:
        install(greet())
    assert "does not have a Release file" in " ".join(failed.value.details)
    assert not list((cache_home).glob("runtimes/debian*"))


def test_a_package_that_was_changed_after_its_index_is_refused(publish: Publish, tmp_path: Path) -> None:
    with next((tmp_path / "repository").glob("greet_*")).open("ab") as file:
        file.write(b"x")
    with pytest.raises(SlipwayError, match="could not fetch"):
        install(greet())


def test_a_package_that_does_not_exist_is_bad_input(publish: Publish) -> None:
    with pytest.raises(BadInput, match="cannot provide nonesuch") as failed:
        install(greet(apt=["nonesuch"]))
    assert "Unable to locate package nonesuch" in " ".join(failed.value.details)


def test_packages_stay_for_a_day_and_another_version_is_another_layer(
    publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = install(greet())
    publish(version="2.0-1")
    assert install(greet()) == first
    monkeypatch.setattr("slipway.build.debian.FRESH_SECONDS", 0)
    second = install(greet())
    assert first is not None
    assert second is not None
    assert second.home != first.home
    assert runtime_layer(second).digest != runtime_layer(first).digest


def test_a_version_can_be_pinned(publish: Publish) -> None:
    with pytest.raises(BadInput, match="greet=3"):
        install(greet(apt=["greet=3"]))
    assert install(greet(apt=["greet=1.0-1"]))


def test_python_that_cannot_be_downloaded_is_debian_s_of_that_version(
    publish: Publish, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uv = tmp_path / "bin" / "uv"
    uv.parent.mkdir()
    uv.write_text("#!/bin/sh\necho 'no download' >&2; exit 1\n")
    uv.chmod(0o755)
    monkeypatch.setenv("PATH", f"{uv.parent}:{os.environ['PATH']}")
    repository = tmp_path / "repository"
    python = {"usr/bin/python3.99": b"#!/bin/sh\n", "usr/lib/python3.99/os.py": b""}
    index = deb(repository, "python3.99", python, version="3.99.4-2+deb12u1")
    (repository / "Packages").write_text(index)
    installed = install(Runtime(name="python", version="3.99"))
    assert installed is not None
    assert (installed.bin / "python3").exists()
    assert "Python 3.99.4 is Debian's own" in installed.notes[0]
    assert install(Runtime(name="python", version="3.99.4"))
    with pytest.raises(SlipwayError, match="uv could not download") as failed:
        install(Runtime(name="python", version="3.99.5"))
    assert 'runtime.version = "3.99.4"' in failed.value.remedy
