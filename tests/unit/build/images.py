"""Images for tests, made as registries and `docker save` have them: layers, config, manifest, index."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zstandard

Member = tuple[str, dict[str, Any]]
"""A name, and what its tar header says: `content`, `mode`, `type`, `linkname`."""


def file(name: str, content: str | bytes = b"", mode: int = 0o644) -> Member:
    data = content.encode() if isinstance(content, str) else content
    return name, {"content": data, "mode": mode}


def program(name: str, content: str | bytes = "#!/bin/sh\n") -> Member:
    return file(name, content, 0o755)


def folder(name: str) -> Member:
    return name, {"type": tarfile.DIRTYPE, "mode": 0o755}


def link(name: str, target: str) -> Member:
    return name, {"type": tarfile.SYMTYPE, "linkname": target}


def hard_link(name: str, target: str) -> Member:
    return name, {"type": tarfile.LNKTYPE, "linkname": target}


def whiteout(name: str) -> Member:
    folder, _, last = name.rpartition("/")
    return file(f"{folder}/.wh.{last}")


def opaque(name: str) -> Member:
    return file(f"{name}/.wh..wh..opq")


def layer(*members: Member) -> bytes:
    """A layer of these members, in this order, not compressed."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, header in members:
            info = tarfile.TarInfo(name)
            content = header.get("content", b"")
            info.size, info.mode = len(content), header.get("mode", 0o644)
            info.type, info.linkname = header.get("type", tarfile.REGTYPE), header.get("linkname", "")
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


@dataclass
class MadeImage:
    """An image to save in either form; a test may damage its parts before that."""

    layers: list[bytes]
    config: dict[str, Any] = field(default_factory=dict[str, Any])
    architecture: str = "amd64"
    compressed: str = ""

    def config_blob(self) -> bytes:
        return json.dumps(
            {
                "architecture": self.architecture,
                "os": "linux",
                "config": self.config,
                "rootfs": {"type": "layers", "diff_ids": [digest(each) for each in self.layers]},
            }
        ).encode()

    def packed(self) -> list[bytes]:
        how = {"gzip": gzip.compress, "zstd": zstandard.ZstdCompressor().compress, "": bytes}
        return [how[self.compressed](each) for each in self.layers]

    def save_oci(self, path: Path, *, platform: bool = True) -> Path:
        blobs = [self.config_blob(), *self.packed()]
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "config": {"digest": digest(blobs[0]), "size": len(blobs[0])},
                "layers": [{"digest": digest(each), "size": len(each)} for each in blobs[1:]],
            }
        ).encode()
        entry: dict[str, Any] = {"digest": digest(manifest), "size": len(manifest)}
        if platform:
            entry["platform"] = {"os": "linux", "architecture": self.architecture}
        index = json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode()
        files = {f"blobs/{digest(blob).replace(':', '/')}": blob for blob in (manifest, *blobs)}
        return write_tar(
            path, {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": index, **files}
        )

    def save_docker(self, path: Path) -> Path:
        config = self.config_blob()
        name = digest(config).removeprefix("sha256:") + ".json"
        files = {f"{number}/layer.tar": each for number, each in enumerate(self.packed())}
        listed = [{"Config": name, "RepoTags": None, "Layers": list(files)}]
        return write_tar(path, {name: config, "manifest.json": json.dumps(listed).encode(), **files})


def write_tar(path: Path, files: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(layer(*(file(name, content) for name, content in files.items())))
    return path


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
