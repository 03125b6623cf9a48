"""What is in a build, read from its layers: what hosts are compared with."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from slipway.build.build import build
from slipway.build.contents import contents_of
from slipway.storage.bucket import BucketError
from tests.unit.build.conftest import MakeProject

if TYPE_CHECKING:
    from slipway.storage.bucket import Bucket

MAKE = {"command": "tr a-z A-Z < a.txt > b.txt && ln -s a.txt c.txt && chmod 755 b.txt"}


class Layers:
    """A folder of layers as a bucket gives them."""

    def __init__(self, layers: Mapping[str, Path]) -> None:
        self.by_key = {f"layers/{digest.replace(':', '-')}.tar.zst": path for digest, path in layers.items()}
        self.read = 0

    def get_file(self, key: str, path: Path, *, sha256: str) -> None:
        content = self.by_key[key].read_bytes()
        if hashlib.sha256(content).hexdigest() != sha256:
            raise BucketError(f"{key} is corrupt")
        self.read += 1
        path.write_bytes(content)


def test_every_file_has_its_digest_and_mode_and_every_link_its_target(
    make_project: MakeProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = build(make_project({"a.txt": "abc"}, build=MAKE))
    layers = Layers(made.layers)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "a machine that packed nothing"))
    found = contents_of(made.manifest, cast("Bucket", layers))
    assert contents_of(made.manifest, cast("Bucket", layers)) == found
    assert found["a.txt"] == f"{hashlib.sha256(b'abc').hexdigest()} 644"
    assert found["b.txt"] == f"{hashlib.sha256(b'ABC').hexdigest()} 755"
    assert found["c.txt"] == "-> a.txt"
    assert layers.read == len(made.manifest.layers), "a layer is fetched once"


def test_a_layer_whose_bytes_were_changed_is_refused(
    make_project: MakeProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = build(make_project({"a.txt": "abc"}, build=MAKE))
    for path in made.layers.values():
        path.chmod(0o644)
        path.write_bytes(path.read_bytes() + b"more")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "a machine that packed nothing"))
    with pytest.raises(BucketError):
        contents_of(made.manifest, cast("Bucket", Layers(made.layers)))
