"""A build as a folder: `slipway build` makes it where no secret is, `slipway release --build` ships it.

build.json          the manifest
build.cdx.json      the SBOM
layers/<digest>     the layers, as in the builds bucket
"""

import json
import shutil
from pathlib import Path

from slipway.build import cache
from slipway.build.build import Build, in_cache, input_digest, keep_build, refuse_another
from slipway.build.command import client_env
from slipway.build.manifest import canonical, read_manifest
from slipway.build.source import read_source, refuse_dirty
from slipway.settings import BadInput, Project

MANIFEST, SBOM, LAYERS = "build.json", "build.cdx.json", "layers"


def write_artifact(build: Build, folder: Path) -> None:
    """Write `build`, which is on this machine, into `folder`."""
    (folder / LAYERS).mkdir(parents=True, exist_ok=True)
    for path in build.layers.values():
        shutil.copyfile(path, folder / LAYERS / path.name)
    (folder / SBOM).write_bytes(build.sbom)
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
        digest_there = _take_in(folder)
        found = in_cache(digest_there)
    else:
        found = in_cache(digest)
        if found and found[0].id != which:
            raise BadInput(
                f"build {which} was made from another source, or with other settings, than are here: that is "
                f"build {found[0].id}",
                remedy="check out the commit that it was made from, or leave out --build",
            )
    if found is None:
        raise BadInput(
            f"no build {which} of what is here was made on this machine, and there is no such folder",
            remedy="`slipway build` makes it; give its id, or the folder of --output",
        )
    manifest, layers, sbom = found
    refuse_another(manifest, digest, project.app, source)
    return Build(manifest, "cache", source, layers, sbom)


def _take_in(folder: Path) -> str:
    """Put an artifact into this machine's cache; returns the digest of its input."""
    try:
        content = json.loads((folder / MANIFEST).read_bytes())
        sbom = (folder / SBOM).read_bytes()
    except (OSError, ValueError) as error:
        raise BadInput(
            f"{folder} holds no build: {error}", remedy="`slipway build --output` writes one"
        ) from None
    manifest = read_manifest(content, str(folder / MANIFEST))
    for layer in manifest.layers:
        path = cache.layer_path(layer.digest)
        given = folder / LAYERS / path.name
        if path.exists():
            continue
        if not given.is_file() or f"sha256:{cache.file_digest(given)}" != layer.digest:
            raise BadInput(
                f"{given}: the {layer.kind} layer is missing or was changed", remedy="make the build again"
            )
        part = path.with_suffix(".part")
        shutil.copyfile(given, part)
        part.replace(path)
    keep_build(manifest, sbom)
    return manifest.input
