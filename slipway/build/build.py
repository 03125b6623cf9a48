"""Build: the source becomes layers and a manifest; an unchanged source is found and not built again."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from slipway.build import cache
from slipway.build.environment import build_env, client_env
from slipway.build.find import find_build, keep_build
from slipway.build.inputs import settings_digest, tree_digest
from slipway.build.manifest import Manifest
from slipway.build.runtime import architecture
from slipway.build.source import Source, read_source, refuse_dirty
from slipway.progress import Progress, Silent
from slipway.settings.app import App
from slipway.settings.project import Project

if TYPE_CHECKING:
    from slipway.storage.bucket import Bucket


@dataclass(frozen=True)
class Build:
    """A build that can be published or released."""

    manifest: Manifest
    origin: Literal["made", "cache", "bucket"]
    """Made just now, found on this machine, or found in the bucket (nothing to publish)."""
    source: Source | None = None
    """The checkout it was asked for; its commit may be a later one than the manifest's, of equal content."""
    layers: Mapping[str, Path] = field(default_factory=dict[str, Path])
    """Files by digest; empty when found in the bucket."""
    sbom: bytes = b""
    seconds: float = 0.0


def build(
    project: Project,
    *,
    progress: Progress | None = None,
    bucket: Bucket | None = None,
    redact: Callable[[str], str] = str,
    env: Mapping[str, str] | None = None,
) -> Build:
    """Build the project's app for its stack.

    Looked up first in `bucket`, then in this machine's cache, by digest of everything that goes in. `env`
    adds public values to the build commands' environment (client values that come from stack outputs).
    Output of commands passes `redact`.

    Raises BadInput (context, links, dirty work tree, unknown runtime version), BuildFailed (a command failed,
    with its last lines) and SlipwayError (registry out of reach). Nothing is left behind, even by Ctrl-C.
    """
    started = time.monotonic()
    line = (progress or Silent()).line
    source = read_source(project.context)
    if not project.stack.allow_dirty:
        refuse_dirty(source)
    public = client_env(project.app, project.stack) | dict(env or {})
    digest = input_digest(project.app, source, public)
    if found := find_build(digest, bucket):
        manifest, layers, sbom = found
        line(f"build {manifest.id} is unchanged")
        origin = "cache" if layers else "bucket"
        return Build(manifest, origin, source, layers, sbom, time.monotonic() - started)
    # What only a build needs is imported only here: an unchanged one is found within the second.
    from slipway.build.make import make  # noqa: PLC0415
    from slipway.build.order import Order  # noqa: PLC0415
    from slipway.build.runtime import install  # noqa: PLC0415

    cache.sweep()
    runtime = install(project.app.runtime, line)
    commands = build_env(runtime.bin if runtime else None, public)
    order = Order(project.app, source, runtime, commands, redact, line)
    with cache.workshop(project.app.name) as folder:
        manifest, layers, sbom = make(order, folder, digest)
    keep_build(manifest, sbom)
    seconds = time.monotonic() - started
    line(f"build {manifest.id} in {seconds:.1f} s")
    return Build(manifest, "made", source, layers, sbom, seconds)


def input_digest(app: App, source: Source, public: Mapping[str, str]) -> str:
    """`sha256:<hex>` over all that decides a build: the source, and of slipway.toml what a build holds."""
    settings = app.model_dump(
        mode="json", include={"name", "runtime", "build", "processes", "cron", "migrate"}, by_alias=True
    )
    return "sha256:" + settings_digest(
        tree_digest(source.root, source.files), settings, architecture(), env=public
    )
