"""A build as a folder: `slipway build` makes it where no secret is, `slipway release --build` ships it.

build.json          the manifest
build.cdx.json      the SBOM
commit              the commit that it was made at: an unchanged build names an earlier one in its manifest
layers/<digest>     the layers, as in the builds bucket
"""

import json
import shutil
from pathlib import Path
from typing import Any, cast

from slipway.build import cache
from slipway.build.build import Build, in_cache, input_digest, is_of, keep_build, refuse_another
from slipway.build.command import client_env
from slipway.build.manifest import Manifest, canonical, read_manifest, short
from slipway.build.source import read_source, refuse_dirty
from slipway.settings import BadInput, Project, env_rules

MANIFEST, SBOM, COMMIT, LAYERS = "build.json", "build.cdx.json", "commit", "layers"
LARGEST = 1 << 24
"""Bytes of a manifest or an SBOM."""
WRITES_ONE = "`slipway build --output` writes one"


def write_artifact(build: Build, folder: Path) -> None:
    """Write `build`, which is on this machine, into `folder`."""
    (folder / LAYERS).mkdir(parents=True, exist_ok=True)
    for path in build.layers.values():
        shutil.copyfile(path, folder / LAYERS / path.name)
    (folder / SBOM).write_bytes(build.sbom)
    state = build.source or build.manifest.git
    (folder / COMMIT).write_text(f"{state.sha}{'-dirty' if state.dirty else ''}\n")
    (folder / MANIFEST).write_bytes(canonical(build.manifest.model_dump(mode="json")))


def made_before(project: Project, which: str) -> Build:
    """The build `which`: an id, of a build that this machine has made, or the folder of an artifact.

    BadInput: there is none, it was changed, or it was made from another source or with other settings than
    are here.
    """
    source = read_source(project.context)
    if not project.stack.allow_dirty:
        refuse_dirty(source)
    digest = input_digest(project.app, source, client_env(project.app, project.stack))
    folder = Path(which)
    if folder.is_dir():
        made = _take_in(folder)
        # Before it is remembered: a later build of the input that it names would be taken for it.
        refuse_another(made.manifest, digest, project.app, source)
        keep_build(made.manifest, made.sbom)
        return Build(made.manifest, "cache", source, made.layers, made.sbom)
    found = in_cache(digest)
    if found is None:
        raise BadInput(
            f"no build {which} of what is here was made on this machine, and there is no such folder",
            remedy="`slipway build` makes it; give its id, or the folder of --output",
        )
    manifest, layers, sbom = found
    if manifest.id != which:
        raise BadInput(
            f"build {which} was made from another source, or with other settings, than are here: that is "
            f"build {manifest.id}",
            remedy="check out the commit that it was made from, or leave out --build",
        )
    refuse_another(manifest, digest, project.app, source)
    return Build(manifest, "cache", source, layers, sbom)


def made_elsewhere(project: Project, artifact: str, commit: str) -> Build:
    """The `artifact`, a folder, which says that it is of `commit`, whatever commit is here.

    Who made it is not trusted. So the env that it declares is held to the rules of slipway.toml, and it is
    never found by the input that it names, neither on this machine nor in a bucket. BadInput: it is of
    another commit, app or processor, was changed, or breaks a rule.
    """
    folder = Path(artifact)
    if not folder.is_dir():
        raise BadInput(f"there is no folder {folder}", remedy="give the folder of `slipway build --output`")
    made = _take_in(folder)
    manifest = made.manifest
    named = f"build {short(manifest.id)}"
    if not is_of(manifest, project.app):
        raise BadInput(f"{named} is of app {manifest.app} for {manifest.arch}, not of {project.app.name}")
    claimed = _small(folder, COMMIT).decode(errors="replace").strip()
    if claimed != commit:
        raise BadInput(
            f"{named} is not of commit {commit}, but of {claimed[:50]}",
            remedy="give the artifact that was made from that commit",
        )
    for key, problem, remedy in env_rules(manifest.as_declared(project.app)):
        raise BadInput(f"{named}: {'.'.join(map(str, key))} {problem}", remedy=remedy)
    return Build(manifest, "elsewhere", None, made.layers, made.sbom)


def _take_in(folder: Path) -> Build:
    """Put the layers of an artifact, which are named by their content, into this machine's cache."""
    manifest, sbom = _described(folder)
    layers: dict[str, Path] = {}
    for layer in manifest.layers:
        path = layers[layer.digest] = cache.layer_path(layer.digest)
        given = folder / LAYERS / path.name
        if not path.exists() and given.is_file() and f"sha256:{cache.file_digest(given)}" == layer.digest:
            part = path.with_suffix(".part")
            shutil.copyfile(given, part)
            part.replace(path)
        if not path.exists() or path.stat().st_size != layer.size:
            raise BadInput(
                f"{given}: the {layer.kind} layer is missing or was changed", remedy="make the build again"
            )
        path.touch()
    return Build(manifest, "cache", None, layers, sbom)


def _described(folder: Path) -> tuple[Manifest, bytes]:
    """Manifest and SBOM of the artifact in `folder`. BadInput: they are missing, or not what they must be."""
    sbom = _small(folder, SBOM)
    try:
        content = json.loads(_small(folder, MANIFEST))
        json.loads(sbom)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{folder} holds no build: {error}", remedy=WRITES_ONE) from None
    if not isinstance(content, dict):
        raise BadInput(f"{folder / MANIFEST} holds no build", remedy=WRITES_ONE)
    manifest = read_manifest(cast("dict[str, Any]", content), str(folder / MANIFEST))
    if f"sha256:{cache.file_digest(folder / SBOM)}" != manifest.sbom:
        raise BadInput(f"{folder / SBOM} was changed", remedy="make the build again")
    return manifest, sbom


def _small(folder: Path, name: str) -> bytes:
    try:
        if (folder / name).stat().st_size > LARGEST:
            raise BadInput(f"{folder / name} is larger than {LARGEST} bytes")
        return (folder / name).read_bytes()
    except OSError as error:
        raise BadInput(f"{folder} holds no build: {error}", remedy=WRITES_ONE) from None
