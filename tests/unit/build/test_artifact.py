"""A build made in one place, and shipped from another: what is taken, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from slipway.build.artifact import made_before, made_elsewhere, write_artifact
from slipway.build.build import build, in_cache, publish
from slipway.build.manifest import input_key, manifest_id
from slipway.build.runtime import architecture
from slipway.settings import BadInput, SlipwayError
from tests.s3 import S3
from tests.unit.build.conftest import MakeProject, commit, git, write

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


def test_an_artifact_that_is_refused_is_not_found_by_the_input_that_it_names(
    make_project: MakeProject, tmp_path: Path, elsewhere: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names the input of another source, which this machine would build next."""
    project = make_project({"a.txt": "abc"}, build=MAKE)
    made = build(project)
    write_artifact(made, tmp_path / "artifact")
    monkeypatch.setenv("XDG_CACHE_HOME", elsewhere)
    write(project.context, {"a.txt": "abd"})
    with pytest.raises(BadInput, match="was not made from what is here"):
        made_before(project, str(tmp_path / "artifact"))
    assert in_cache(made.manifest.input) is None


@pytest.fixture
def pull_request(
    make_project: MakeProject, tmp_path: Path, elsewhere: str, monkeypatch: pytest.MonkeyPatch
) -> tuple[Any, Path, str]:
    """A project at one commit, the artifact of another one, and that one's hash."""
    processes = {"web": {"command": "./serve"}, "worker": {"command": "./work"}}
    project = make_project({"a.txt": "abc"}, build=MAKE, processes=processes)
    commit(project.context)
    write(project.context, {"a.txt": "changed"})
    commit(project.context, "Change it")
    made = build(project)
    write_artifact(made, tmp_path / "artifact")
    git(project.context, "reset", "-q", "--hard", "HEAD~1")
    monkeypatch.setenv("XDG_CACHE_HOME", elsewhere)
    return project, tmp_path / "artifact", made.manifest.git.sha


def forge(folder: Path, **changed: object) -> None:
    """Change an artifact's manifest as whoever makes it can: the id fits again."""
    content = json.loads((folder / "build.json").read_text()) | changed
    (folder / "build.json").write_text(json.dumps(content | {"id": manifest_id(content)}))


def test_a_build_of_another_commit_is_taken_if_that_commit_is_given(
    pull_request: tuple[Any, Path, str],
) -> None:
    project, folder, head = pull_request
    with pytest.raises(BadInput, match="was not made from what is here"):
        made_before(project, str(folder))
    made = made_elsewhere(project, str(folder), head)
    assert made.manifest.git.sha == head
    assert [path.is_file() for path in made.layers.values()] == [True]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"app": "another"}, "is of app another"),
        ({"arch": "arm64" if architecture() == "x64" else "x64"}, "is of app tiny for"),
        (
            {"declared": {"env": {"PLATFORM_PREVIEWS_KEY": {"secret": True}}}},
            "env.PLATFORM_PREVIEWS_KEY",
        ),
        (
            {"processes": {"web": {"command": "./serve", "role": "web", "directory": "x\nUser=root"}}},
            "is not a manifest",
        ),
        ({"sbom": "sha256:" + "0" * 64}, "build.cdx.json was changed"),
    ],
)
def test_what_whoever_made_it_could_forge_is_refused(
    changed: dict[str, Any], message: str, pull_request: tuple[Any, Path, str]
) -> None:
    project, folder, head = pull_request
    forge(folder, **changed)
    with pytest.raises(SlipwayError, match=message):
        made_elsewhere(project, str(folder), head)


def test_an_unchanged_build_is_of_the_commit_that_it_was_taken_from(
    make_project: MakeProject, tmp_path: Path
) -> None:
    """Its manifest names the commit at which it was made first."""
    project = make_project({"a.txt": "abc"}, build=MAKE)
    commit(project.context)
    first = build(project).manifest.git.sha
    git(project.context, "commit", "-q", "--allow-empty", "-m", "Change nothing")
    made = build(project)
    assert made.manifest.git.sha == first
    assert made.source
    write_artifact(made, tmp_path / "artifact")
    assert made_elsewhere(project, str(tmp_path / "artifact"), made.source.sha).manifest == made.manifest
    with pytest.raises(BadInput, match="is not of commit"):
        made_elsewhere(project, str(tmp_path / "artifact"), first)


def test_a_build_made_elsewhere_never_stands_for_the_input_that_it_names(
    pull_request: tuple[Any, Path, str], s3: S3
) -> None:
    """It names the input of what is here, as a pull request could, and would be released in its place."""
    project, folder, head = pull_request
    here = build(project).manifest
    forge(folder, input=here.input)
    made = made_elsewhere(project, str(folder), head)
    bucket = s3.bucket()
    publish(made, bucket, sign=lambda _: ("ci", "signature"))
    assert bucket.get_json(input_key(here.input)) is None
    assert bucket.get_json(made.manifest.key)
    found = in_cache(here.input)
    assert found
    assert found[0].id == here.id
