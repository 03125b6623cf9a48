import io
import tarfile
import time
from pathlib import Path

import pytest

from hosts import base as every_host
from hosts.deploy import ROLES
from slipway.platforms.local.bake import ADDED, EVERY_HOST, as_tar, base_recipe, image_recipe
from slipway.platforms.local.debian import Mirror, apt_files, ensure_debian, pull, suite_of
from slipway.platforms.local.docker import Docker
from slipway.platforms.s3_server import find_versitygw
from slipway.progress import Silent
from slipway.settings import BadInput, Role
from tests.unit.platforms.local.conftest import Fake

MIRROR = Mirror(
    "bookworm", "http://mirror.example/debian", (("http://mirror.example/debian", "bookworm"),), None
)
NO_IMAGE = 'case "$*" in *inspect*) echo "[]"; echo "Error: No such image" >&2; exit 1;; esac\n'


def test_a_changed_recipe_is_a_new_image_and_an_unchanged_one_is_not():
    apt = apt_files(MIRROR)
    base = base_recipe("debian:bookworm-slim", apt)
    assert base.tag == base_recipe("debian:bookworm-slim", apt_files(MIRROR)).tag
    assert base.tag != base_recipe("slipway/debian:bookworm", apt).tag
    assert base.tag != base_recipe("debian:bookworm-slim", apt_files(None)).tag
    assert image_recipe("data", base.tag).tag != image_recipe("data", "slipway/base:other").tag


@pytest.mark.parametrize("role", ["edge", "web", "worker", "data"])
def test_what_hosts_need_is_baked_so_that_a_warm_up_installs_nothing(role: Role):
    needed = {package for module in (every_host, *ROLES[role]) for package in module.PACKAGES}
    baked = {*EVERY_HOST, *ADDED[role]}
    assert set(ADDED[role]) <= set(ADDED["one"])
    assert {package for package in needed if package not in baked and f"{package}-15" not in baked} == set()


@pytest.mark.parametrize(
    ("image", "suite"),
    [
        ("debian:bookworm-slim", "bookworm"),
        ("mirror.example/debian:trixie", "trixie"),
        ("debian:bullseye", "bullseye"),
        ("debian:latest", "trixie"),
        ("debian", "trixie"),
    ],
)
def test_the_suite_is_read_off_the_image(image: str, suite: str):
    assert suite_of(image) == suite


def test_a_registry_that_says_nothing_is_given_up_soon(fake: Fake):
    program = fake("docker", "exec sleep 60")
    started = time.monotonic()
    assert not pull(Docker(str(program)), "debian:bookworm-slim", answer_seconds=0.3)
    assert time.monotonic() - started < 30


def test_a_registry_that_refuses_is_no_error(fake: Fake):
    program = fake("docker", 'echo "no such host" >&2; exit 1')
    assert not pull(Docker(str(program)), "debian:bookworm-slim")


def test_an_image_that_can_be_pulled_is_pulled(fake: Fake):
    program = fake("docker", f"{NO_IMAGE}echo 'bookworm-slim: Pulling from library/debian'")
    assert (
        ensure_debian(Docker(str(program)), "debian:bookworm-slim", MIRROR, Silent())
        == "debian:bookworm-slim"
    )


def test_no_registry_and_no_debian_archive_is_bad_input_with_a_way_out(fake: Fake):
    program = fake("docker", f"{NO_IMAGE}exit 1")
    with pytest.raises(BadInput) as caught:
        ensure_debian(Docker(str(program)), "debian:bookworm-slim", None, Silent())
    assert "docker load" in caught.value.remedy


def test_no_registry_and_no_root_is_bad_input(fake: Fake, monkeypatch: pytest.MonkeyPatch):
    program = fake("docker", f"{NO_IMAGE}exit 1")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(BadInput, match="needs root"):
        ensure_debian(Docker(str(program)), "debian:bookworm-slim", MIRROR, Silent())


def test_files_keep_their_modes_on_the_way_into_a_container():
    packed = as_tar((("/root/.ssh/authorized_keys", 0o600, b"key"),))
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        entry = archive.getmember("root/.ssh/authorized_keys")
    assert (entry.mode, entry.uid, entry.size) == (0o600, 0, 3)


def test_versitygw_is_the_named_one_or_the_cached_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("VERSITYGW", raising=False)
    assert find_versitygw() is None
    named = tmp_path / "versitygw"
    named.write_bytes(b"")
    named.chmod(0o755)
    monkeypatch.setenv("VERSITYGW", str(named))
    assert find_versitygw() == named
