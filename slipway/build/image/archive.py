"""The archive of an image, as `docker save` or an OCI tool writes it: its config and layers, each proved.

https://github.com/opencontainers/image-spec (image-layout, manifest, config). Every digest that the archive
states is computed again, so an archive cannot hold other layers than its image names.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

import zstandard

from slipway.settings import BadInput

ARCHITECTURES = {"amd64": "x64", "arm64": "arm64"}
"""By the name that images have for it, what builds call an architecture."""
MOST_BYTES = 32 << 30
"""Bytes that an image's layers may become: a small archive must not fill this machine's disk."""
SMALL = 16 << 20
"""Bytes of an index, a manifest or a config."""
CHUNK = 1 << 20
REBUILD = "build or save the image again"


@dataclass(frozen=True)
class Config:
    """What an image says of the program in it."""

    digest: str
    arch: str
    user: str = ""
    directory: str = "/"
    env: dict[str, str] = field(default_factory=dict[str, str])
    entrypoint: tuple[str, ...] = ()
    """ENTRYPOINT and CMD together: what is run if slipway.toml names no command."""
    stop_signal: str = ""
    ports: tuple[str, ...] = ()
    """EXPOSE: `8080/tcp`."""
    volumes: tuple[str, ...] = ()
    diff_ids: tuple[str, ...] = ()
    """Digests of the layers when they are not compressed, the lowest first."""


@dataclass(frozen=True)
class Image:
    """An image on this machine. `digest`: of its manifest, or of its config if docker saved it."""

    digest: str
    config: Config
    layers: tuple[Path, ...]
    """Tar files, not compressed, the lowest first; proved."""


def read_archive(path: Path, arch: str, folder: Path) -> Image:
    """The image for `arch` in the archive `path`; its layers are unpacked into the folder `folder`.

    Raises BadInput for what is no archive of one image, for one of another architecture, and for one whose
    content has other digests than it states.
    """
    try:
        with tarfile.open(path) as tar:
            return _Archive(path, tar).image(arch, folder)
    except (tarfile.TarError, zlib.error, zstandard.ZstdError, EOFError, OSError, ValueError) as error:
        raise BadInput(
            f"{path.name} cannot be read as an image: {error}",
            remedy="it must be what `docker save` or `buildah push … oci-archive:` writes",
        ) from error


class _Archive:
    def __init__(self, path: Path, tar: tarfile.TarFile) -> None:
        self.path, self.tar = path, tar
        self.members = {posixpath.normpath(member.name): member for member in tar.getmembers()}

    def image(self, arch: str, folder: Path) -> Image:
        if "manifest.json" in self.members:
            digest, config, names = self._saved(arch)
        elif "index.json" in self.members:
            digest, config, names = self._laid_out(arch)
        else:
            raise self._broken("it holds neither index.json nor manifest.json")
        if len(names) != len(config.diff_ids):
            raise self._broken(f"its config names {len(config.diff_ids)} layers, its manifest {len(names)}")
        layers: list[Path] = []
        room = MOST_BYTES
        for number, (name, expected) in enumerate(zip(names, config.diff_ids, strict=True)):
            layers.append(folder / f"layer-{number}.tar")
            room -= self._unpacked(name, expected, layers[-1], room)
        return Image(digest, config, tuple(layers))

    def _saved(self, arch: str) -> tuple[str, Config, list[str]]:
        """Digest, config and names of the layers, as `docker save` lists them."""
        images = _list(self._json("manifest.json"))
        if len(images) != 1:
            raise self._broken(f"it must hold one image, not {len(images)}", "save one image only")
        entry = self._table(images[0], "manifest.json")
        name = str(entry.get("Config", ""))
        content = self._bytes(name)
        digest = _digest(content)
        stated = name.rpartition("/")[2].removesuffix(".json")
        if stated != digest.removeprefix("sha256:"):
            raise self._broken(f"its config {name} has digest {digest}")
        return digest, self._config(content, arch), _texts(entry.get("Layers"))

    def _laid_out(self, arch: str) -> tuple[str, Config, list[str]]:
        """The same, of an OCI image layout."""
        described = self._chosen(self._table(self._json("index.json"), "index.json"), arch)
        manifest = self._table(json.loads(self._blob(described)), "its manifest")
        config = self._config(self._blob(self._table(manifest.get("config"), "its manifest")), arch)
        names = [_blob_name(self._table(each, "a layer")) for each in _list(manifest.get("layers"))]
        return str(described["digest"]), config, names

    def _chosen(self, index: dict[str, Any], arch: str) -> dict[str, Any]:
        """The manifest for `arch` that an index leads to; an index may lead to another."""
        entries = [self._table(each, "index.json") for each in _list(index.get("manifests"))]
        platforms = [self._table(each.get("platform") or {}, "index.json") for each in entries]
        offered = {
            str(each.get("architecture")) for each in platforms if each.get("os", "linux") == "linux"
        } - {"None", "unknown"}
        fits = [
            entry
            for entry, platform in zip(entries, platforms, strict=True)
            if not platform or ARCHITECTURES.get(str(platform.get("architecture"))) == arch
        ]
        if not fits and offered:
            raise wrong_architecture(sorted(offered), arch)
        if len(fits) != 1:
            raise self._broken(f"it must hold one image, not {len(fits)}", "save one image only")
        if "index" in str(fits[0].get("mediaType")) or "manifest.list" in str(fits[0].get("mediaType")):
            return self._chosen(self._table(json.loads(self._blob(fits[0])), "an index"), arch)
        return fits[0]

    def _config(self, content: bytes, arch: str) -> Config:
        said = self._table(json.loads(content), "its config")
        if said.get("os", "linux") != "linux" or ARCHITECTURES.get(str(said.get("architecture"))) != arch:
            raise wrong_architecture([f"{said.get('os', 'linux')} on {said.get('architecture')}"], arch)
        run = self._table(said.get("config") or {}, "its config")
        pairs = (each.partition("=") for each in _texts(run.get("Env")))
        layers = self._table(said.get("rootfs") or {}, "its config")
        return Config(
            digest=_digest(content),
            arch=arch,
            user=str(run.get("User") or ""),
            directory=str(run.get("WorkingDir") or "/"),
            env={name: value for name, _, value in pairs},
            entrypoint=(*_texts(run.get("Entrypoint")), *_texts(run.get("Cmd"))),
            stop_signal=str(run.get("StopSignal") or ""),
            ports=tuple(sorted(self._table(run.get("ExposedPorts") or {}, "its config"))),
            volumes=tuple(sorted(self._table(run.get("Volumes") or {}, "its config"))),
            diff_ids=tuple(_texts(layers.get("diff_ids"))),
        )

    def _unpacked(self, name: str, expected: str, target: Path, room: int) -> int:
        """Write a layer to `target` without compression, and prove it. Its size."""
        digest, size = hashlib.sha256(), 0
        with self._open(name) as packed, target.open("wb") as file:
            for chunk in _decompressed(packed):
                size += len(chunk)
                if size > room:
                    raise too_large(self.path.name)
                digest.update(chunk)
                file.write(chunk)
        if f"sha256:{digest.hexdigest()}" != expected:
            raise self._broken(f"its layer {name} has digest sha256:{digest.hexdigest()}, not {expected}")
        return size

    def _blob(self, described: dict[str, Any]) -> bytes:
        content = self._bytes(_blob_name(described))
        if _digest(content) != described["digest"]:
            raise self._broken(f"{described['digest']} has digest {_digest(content)}")
        return content

    def _json(self, name: str) -> Any:
        return json.loads(self._bytes(name))

    def _bytes(self, name: str) -> bytes:
        with self._open(name) as file:
            content = file.read(SMALL + 1)
        if len(content) > SMALL:
            raise self._broken(f"{name} is larger than {SMALL >> 20} MiB")
        return content

    def _open(self, name: str) -> IO[bytes]:
        """A file of the archive. Older docker saves a layer that comes twice as a link to the first."""
        member = self.members.get(posixpath.normpath(name))
        if member is not None and member.issym():
            beside = posixpath.join(posixpath.dirname(member.name), member.linkname)
            member = self.members.get(posixpath.normpath(beside))
        file = self.tar.extractfile(member) if member is not None and member.isreg() else None
        if file is None:
            raise self._broken(f"it lacks {name}")
        return file

    def _table(self, value: Any, where: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self._broken(f"{where} is not as the format has it")
        return cast("dict[str, Any]", value)

    def _broken(self, why: str, remedy: str = REBUILD) -> BadInput:
        return BadInput(f"{self.path.name} is not a whole image: {why}", remedy=remedy)


def wrong_architecture(offered: list[str], arch: str) -> BadInput:
    """The error for an image that no host of `arch` could run."""
    wanted = next(name for name, ours in ARCHITECTURES.items() if ours == arch)
    return BadInput(
        f"the image is for {', '.join(offered)}; this machine builds for linux on {wanted}",
        remedy=f"build it for linux/{wanted}, or on a machine of the hosts' architecture",
    )


def too_large(name: str) -> BadInput:
    """The error for an archive that becomes more than MOST_BYTES."""
    return BadInput(
        f"{name} becomes more than {MOST_BYTES >> 30} GiB",
        remedy="leave out of the image what the app does not need",
    )


def _list(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


def _texts(value: Any) -> list[str]:
    return [str(each) for each in _list(value)]


def _blob_name(described: dict[str, Any]) -> str:
    return f"blobs/{str(described.get('digest', '')).replace(':', '/')}"


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _decompressed(packed: IO[bytes]) -> Iterator[bytes]:
    """The content of a layer: its first bytes say how it is compressed."""
    magic = packed.read(4)
    packed.seek(0)
    if magic[:2] == b"\x1f\x8b":
        yield from _inflated(packed)
    elif magic == b"\x28\xb5\x2f\xfd":
        reader = zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True)
        yield from iter(lambda: reader.read(CHUNK), b"")
    else:
        yield from iter(lambda: packed.read(CHUNK), b"")


def _inflated(packed: IO[bytes]) -> Iterator[bytes]:
    """Like gzip's reader, but what one call makes is bounded."""
    stream = zlib.decompressobj(31)
    rest = packed.read(CHUNK)
    while rest:
        yield stream.decompress(rest, CHUNK)
        rest = stream.unconsumed_tail
        if stream.eof:
            rest = stream.unused_data
            stream = zlib.decompressobj(31)
        rest = rest or packed.read(CHUNK)
    if not stream.eof and stream.unconsumed_tail:
        raise EOFError("a layer ends too early")
