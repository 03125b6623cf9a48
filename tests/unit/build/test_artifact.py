"""A build made in one place, and shipped from another: what is taken, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from slipway.build.artifact import made_before, write_artifact
from slipway.build.build import build
from slipway.settings import BadInput
from tests.unit.build.conftest import MakeProject, write

MAKE = {"command": "tr a-z A-Z < a.txt > b.txt"}


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The cache of another machine, which has never built anything."""
    del monkeypatch
    return str(tmp_path / "cache of the job that ships")


def test_an_artifact_is_the_same_build_on_another_machine(
    make_project: MakeProject, tmp_path: Path, elsewhere: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project({"a.txt": "abc"}, build=MAKE)
    made = build(project)
    write_artifact(made, tmp_path / "artifact")
    monkeypatch.setenv("XDG_CACHE_HOME", elsewhere)
    taken = made_before(project, str(tmp_path / "artifact"))
    assert taken.manifest == made.manifest
    assert taken.sbom == made.sbom
    assert [path.read_bytes() for path in taken.layers.values()] == [
        path.read_bytes() for path in made.layers.values()
    ]
    assert made_before(project, made.manifest.id).manifest == made.manifest


@pytest.mark.parametrize("what", ["layer", "manifest", "another source", "nothing there", "another id"])
def test_an_artifact_that_is_not_of_this_source_is_refused(
    what: str, make_project: MakeProject, tmp_path: Path, elsewhere: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project({"a.txt": "abc"}, build=MAKE)
    folder = tmp_path / "artifact"
    write_artifact(build(project), folder)
    monkeypatch.setenv("XDG_CACHE_HOME", elsewhere)
    which, message = str(folder), {
        "layer": "was changed",
        "manifest": "is damaged",
        "another source": "was not made from what is here",
        "nothing there": "no build",
        "another id": "no build",
    }[what]  # fmt: skip
    if what == "layer":
        next((folder / "layers").iterdir()).write_bytes(b"another layer")
    elif what == "manifest":
        content = json.loads((folder / "build.json").read_text())
        content["processes"]["web"]["command"] = "steal"
        (folder / "build.json").write_text(json.dumps(content))
    elif what == "another source":
        write(project.context, {"a.txt": "abd"})
    else:
        which = str(folder.parent / "none") if what == "nothing there" else "b" + "0" * 64
    with pytest.raises(Exception, match=message) as refused:
        made_before(project, which)
    assert isinstance(refused.value, BadInput) or what == "manifest"
