"""A build of an app: found if its source is unchanged, else made, and published to the builds bucket.

And the app's own checks on that source.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from slipway.build import cache
from slipway.build.command import BuildFailed, build_env, client_env, run_command
from slipway.build.manifest import (
    Layer,
    Manifest,
    canonical,
    declared_by,
    input_key,
    load_manifest,
    read_manifest,
    short,
)
from slipway.build.runtime import architecture, install
from slipway.build.sandbox import command_caches
from slipway.build.source import Source, copy_files, read_source, refuse_dirty
from slipway.progress import Progress, Silent
from slipway.settings import App, BadInput, Project, SlipwayError
from slipway.storage.bucket import Bucket, BucketError, Conflict, Damaged


@dataclass(frozen=True)
class Build:
    """A build that can be published or released."""

    manifest: Manifest
    origin: Literal["made", "cache", "bucket", "elsewhere"]
    """Made just now, found on this machine, found in the bucket (nothing to publish), or made by somebody
    else, who may have named any input."""
    source: Source | None = None
    """The checkout; its commit may be later than the manifest's if the content is equal."""
    layers: Mapping[str, Path] = field(default_factory=dict[str, Path])
    """Files by digest; empty when found in the bucket."""
    sbom: bytes = b""
    seconds: float = 0.0


Trusts = Callable[[bytes, str, str], bool]
"""Is the signature (second) of the signer (third) over a content good?"""


def build(
    project: Project,
    *,
    progress: Progress | None = None,
    bucket: Bucket | None = None,
    trusts: Trusts | None = None,
    redact: Callable[[str], str] = str,
    env: Mapping[str, str] | None = None,
    unsandboxed: bool = False,
) -> Build:
    """Build the project's app for its stack.

    The build is looked up first in `bucket`, if what `bucket` says of it is signed as `trusts` wants it, then
    in this machine's cache, by the digest of all its inputs.
    `env` adds public values to the build commands' environment (client values that come from stack outputs).
    The output of commands passes through `redact`. `unsandboxed`: they run without a sandbox.

    Raises BadInput (context, links, dirty work tree, unknown runtime version, no sandbox), BuildFailed (a
    command failed, with its last lines) and SlipwayError (registry out of reach). Nothing is left behind,
    even by Ctrl-C.
    """
    started = time.monotonic()
    line = (progress or Silent()).line
    source = read_source(project.context)
    if not project.stack.allow_dirty:
        refuse_dirty(source)
    public = client_env(project.app, project.stack) | dict(env or {})
    digest = input_digest(project.app, source, public)
    if found := find_build(digest, project.app, bucket, trusts):
        manifest, layers, sbom = found
        line(f"build {short(manifest.id)} is unchanged")
        origin = "cache" if layers else "bucket"
        return Build(manifest, origin, source, layers, sbom, time.monotonic() - started)
    # Imported here, since only a new build needs it: an unchanged one is found within a second.
    from slipway.build.make import Order, make  # noqa: PLC0415

    cache.sweep()
    runtime = install(project.app.runtime, line)
    commands = build_env(runtime.bin if runtime else None, public)
    caches = command_caches(project, line, unsandboxed=unsandboxed)
    order = Order(project.app, source, runtime, public, commands, caches, redact, line)
    with cache.workshop(project.app.name) as folder:
        manifest, layers, sbom = make(order, folder, digest)
    keep_build(manifest, sbom)
    seconds = time.monotonic() - started
    line(f"build {short(manifest.id)} in {seconds:.1f} s")
    return Build(manifest, "made", source, layers, sbom, seconds)


def input_digest(app: App, source: Source, public: Mapping[str, str]) -> str:
    """`sha256:<hex>` over all that decides a build: the source and the settings that a build contains."""
    settings = app.model_dump(
        mode="json", include={"name", "runtime", "build", "processes", "cron", "migrate"}, by_alias=True
    )
    if app.runtime.archive:  # which git may ignore
        archive = source.root / app.runtime.archive
        if not archive.is_file():
            raise BadInput(
                f"runtime.archive: there is no file {archive}",
                remedy="write it with `docker save IMAGE --output FILE`",
            )
        settings["archive"] = cache.file_digest(archive)
    settings["declared"] = declared_by(app).model_dump(mode="json", by_alias=True)
    return "sha256:" + cache.settings_digest(
        cache.tree_digest(source.root, source.files), settings, architecture(), env=public
    )


Found = tuple[Manifest, Mapping[str, Path], bytes]
"""Manifest, layer files by digest, SBOM; no files and no SBOM when all of it is in the bucket."""


def find_build(digest: str, app: App, bucket: Bucket | None, trusts: Trusts | None) -> Found | None:
    """The complete build of the input `digest`; None without one, or if it is damaged, foreign or pruned."""
    try:
        if bucket and trusts and (found := _in_bucket(digest, app, bucket, trusts)):
            return found
    except BucketError:
        raise
    except SlipwayError:
        pass
    try:
        return in_cache(digest)
    except SlipwayError:
        return None


def input_statement(manifest: Manifest) -> bytes:
    """What the signature of an entry in `inputs/` is over: that this input makes this build."""
    return canonical(
        {"build": manifest.id, "input": manifest.input, "app": manifest.app, "arch": manifest.arch}
    )


def keep_build(manifest: Manifest, sbom: bytes) -> None:
    """Remember a build that was just made; its layers are in the cache."""
    record = {"manifest": manifest.model_dump(mode="json"), "sbom": json.loads(sbom)}
    cache.remember("builds", manifest.input, record)


def _in_bucket(digest: str, app: App, bucket: Bucket, trusts: Trusts) -> Found | None:
    """Whoever can write the bucket may have written it: unsigned, or of another input, it is not used."""
    found = bucket.get_json(input_key(digest))
    if found is None:
        return None
    build, signature, signer = (str(found[0].get(key, "")) for key in ("build", "signature", "signer"))
    manifest = load_manifest(bucket, build)
    if not is_made_of(manifest, digest, app) or not trusts(input_statement(manifest), signature, signer):
        return None
    with ThreadPoolExecutor(max_workers=3) as pool:
        there = list(pool.map(bucket.exists, [layer.key for layer in manifest.layers]))
    return (manifest, {}, b"") if all(there) else None


def is_made_of(manifest: Manifest, digest: str, app: App) -> bool:
    """Is `manifest` of the input `digest`, of `app` and for this machine's hosts?"""
    return manifest.input == digest and is_of(manifest, app)


def is_of(manifest: Manifest, app: App) -> bool:
    """Is `manifest` a build of `app` for this machine's hosts?"""
    return (manifest.app, manifest.arch) == (app.name, architecture())


def refuse_another(manifest: Manifest, digest: str, app: App, source: Source) -> None:
    """Raise BadInput unless `manifest` is of the input `digest`, which `source` has."""
    if is_made_of(manifest, digest, app):
        return
    git = manifest.git
    there = _state(manifest.app, manifest.arch, git.sha, dirty=git.dirty)
    here = _state(app.name, architecture(), source.sha, dirty=source.dirty)
    remedy = "check out the commit that it was made from, with the same settings"
    if git.dirty:
        remedy = "commit what it was made from, and make it again: no other checkout can ship it"
    raise BadInput(
        f"build {short(manifest.id)} was not made from what is here ({here}), but from {there}", remedy=remedy
    )


def _state(app: str, arch: str, commit: str, *, dirty: bool) -> str:
    changes = ", with uncommitted changes" if dirty else ""
    return f"app {app} for {arch}, commit {commit[:12] or 'unknown'}{changes}"


def in_cache(digest: str) -> Found | None:
    """The complete build of the input `digest` on this machine."""
    record = cache.recall("builds", digest)
    if record is None:
        return None
    manifest = read_manifest(record["manifest"], f"the record of {digest}")
    layers: dict[str, Path] = {}
    for layer in manifest.layers:
        path = cache.layer_path(layer.digest)
        if not path.exists() or path.stat().st_size != layer.size:
            return None
        path.touch()
        layers[layer.digest] = path
    return manifest, layers, canonical(record["sbom"])


@dataclass(frozen=True)
class FailedCheck:
    """A command that failed, why, and the last lines it wrote (redacted)."""

    command: str
    reason: str
    tail: str


def run_checks(
    project: Project,
    *,
    redact: Callable[[str], str] = str,
    line: Callable[[str], None] = lambda _: None,
    unsandboxed: bool = False,
) -> Iterator[FailedCheck]:
    """Run `preflight.commands` (P1: lint, types, tests) in order, on a clean copy of what would be built.

    Yields the first command that fails, and stops. A source that passed on this machine is not checked again.
    """
    app = project.app
    source = read_source(project.context)
    public = client_env(app, project.stack)
    key = cache.settings_digest(input_digest(app, source, public), list(app.preflight.commands))
    if not app.preflight.commands or cache.recall("checks", key):
        return
    runtime = install(app.runtime, line)
    env = build_env(runtime.bin if runtime else None, public)
    caches = command_caches(project, line, unsandboxed=unsandboxed)
    with cache.workshop(f"{app.name}-checks") as folder:
        copy_files(source.root, source.files, folder)
        for command in app.preflight.commands:
            try:
                run_command(
                    "preflight.commands",
                    command,
                    directory=folder,
                    env=env,
                    timeout=app.preflight.timeout_seconds,
                    caches=caches,
                    redact=redact,
                    line=line,
                )
            except BuildFailed as failed:
                yield FailedCheck(command, failed.message, "\n".join(failed.details))
                return
    cache.remember("checks", key, {"passed": True})


UPLOADS_AT_ONCE = 3


@dataclass(frozen=True)
class PublishReport:
    """What was sent: digests of the layers that were uploaded and that were there already, and bytes."""

    build: str
    uploaded: list[str]
    reused: list[str]
    bytes: int


Signs = Callable[[bytes], tuple[str, str]]
"""Signer and signature of a content."""


def publish(build: Build, bucket: Bucket, *, sign: Signs, progress: Progress | None = None) -> PublishReport:
    """Upload what `bucket` lacks of `build`, verified by checksum. Safe to repeat and to interrupt.

    `sign` lets later releases find it by its input, unless it was made elsewhere. The manifest is written
    last, so a manifest in the bucket promises that everything it names is there.
    Raises SlipwayError if a layer in this machine's cache was damaged; BucketError from the bucket.
    """
    manifest = build.manifest
    if build.origin == "bucket":
        return PublishReport(manifest.id, [], [layer.digest for layer in manifest.layers], 0)
    line = (progress or Silent()).line

    def send(layer: Layer) -> int:
        return _send(build, layer, bucket, line)

    with ThreadPoolExecutor(UPLOADS_AT_ONCE, thread_name_prefix="upload") as pool:
        sent = list(pool.map(send, manifest.layers))
    _once(bucket, f"builds/{manifest.id}.cdx.json", json.loads(build.sbom))
    _once(bucket, manifest.key, manifest.model_dump(mode="json"))
    if build.origin != "elsewhere":
        signer, signature = sign(input_statement(manifest))
        entry = {"build": manifest.id, "signer": signer, "signature": signature}
        bucket.put_json(input_key(manifest.input), entry)
    digests = [layer.digest for layer in manifest.layers]
    return PublishReport(
        manifest.id,
        uploaded=[digest for digest, count in zip(digests, sent, strict=True) if count],
        reused=[digest for digest, count in zip(digests, sent, strict=True) if not count],
        bytes=sum(sent),
    )


def _send(build: Build, layer: Layer, bucket: Bucket, line: Callable[[str], None]) -> int:
    """Bytes sent: 0 if the layer was there."""
    if bucket.exists(layer.key):
        return 0
    path = build.layers[layer.digest]
    if f"sha256:{cache.file_digest(path)}" != layer.digest:
        path.unlink()
        raise SlipwayError(
            f"the {layer.kind} layer in {path.parent} was damaged and has been removed",
            remedy="run the command again; it is built again",
        )
    line(f"uploading the {layer.kind} layer, {layer.size / 1e6:.1f} MB")
    bucket.put_file(layer.key, path, sha256=layer.digest.removeprefix("sha256:"))
    return layer.size


def _once(bucket: Bucket, key: str, content: dict[str, object]) -> None:
    """Write an object whose name follows from its content; another writer's is the same, if it is whole."""
    try:
        bucket.put_json(key, content, if_none_match=True)
    except Conflict:
        with suppress(Damaged):
            if (found := bucket.get_json(key)) and found[0] == content:
                return
        bucket.put_json(key, content)
