"""Where an image comes from: a Dockerfile that docker or buildah builds, a registry, or an archive.

The engine works on this machine only. RUN lines of a Dockerfile run in its containers, on a clean copy of the
source; they see the public values that the Dockerfile declares by ARG, and none of the operator's variables.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from slipway.build.source import Source, copy_files
from slipway.settings import BadInput, Runtime

CLIENT = (
    *("PATH", "HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "REGISTRY_AUTH_FILE", "TMPDIR"),
    *("DOCKER_HOST", "DOCKER_CONFIG", "DOCKER_CONTEXT", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
)
"""What the engine's own client reads: where its daemon is, and who signs in to a registry."""

Run = Callable[[str, str, Path, Mapping[str, str]], None]
"""Runs a command: its name in errors, the command, the folder and the environment that it has."""


def archive_of(runtime: Runtime, source: Source, folder: Path, public: Mapping[str, str], run: Run) -> Path:
    """The archive of the app's image: the one in the context, or one that is written to `folder`.

    `public` may be given to the build as arguments. Raises BadInput without an engine, BuildFailed when the
    engine fails.
    """
    if runtime.archive:
        return source.root / runtime.archive
    engine = _engine()
    env = {name: os.environ[name] for name in CLIENT if name in os.environ}
    target = folder / "image.tar"
    if runtime.reference:
        run("pulling the image", _pull(engine, runtime.reference), folder, env)
        image = runtime.reference
    else:
        image = _built(engine, runtime.dockerfile or "Dockerfile", source, folder, public, run, env)
    run("saving the image", _save(engine, image, target), folder, env)
    return target


def _built(
    engine: str,
    dockerfile: str,
    source: Source,
    folder: Path,
    public: Mapping[str, str],
    run: Run,
    env: Mapping[str, str],
) -> str:
    """The id of the image that `dockerfile` makes of a clean copy of the source."""
    if dockerfile not in source.files:
        raise BadInput(
            f"runtime.dockerfile: {source.root} has no {dockerfile}",
            remedy="give its path in build.context; is it ignored by git?",
        )
    context = folder / "context"
    context.mkdir()
    copy_files(source.root, source.files, context)
    declared = re.findall(
        r"^\s*ARG\s+(\w+)", (context / dockerfile).read_text(), re.MULTILINE | re.IGNORECASE
    )
    arguments = [
        word
        for name in dict.fromkeys(declared)
        if name in public
        for word in ("--build-arg", f"{name}={public[name]}")
    ]
    written = folder / "image-id"
    command = [
        engine,
        "build",
        "--file",
        str(context / dockerfile),
        "--iidfile",
        str(written),
        *arguments,
        ".",
    ]
    run(f"{engine} build", shlex.join(command), context, env)
    return written.read_text().strip()


def _pull(engine: str, reference: str) -> str:
    return shlex.join([engine, "pull", reference])


def _save(engine: str, image: str, target: Path) -> str:
    if engine == "buildah":
        return shlex.join(["buildah", "push", image, f"oci-archive:{target}"])
    return shlex.join([engine, "save", "--output", str(target), image])


def _engine() -> str:
    """docker if its daemon answers, or else buildah, which needs none."""
    for name, question in (("docker", ["docker", "version"]), ("buildah", ["buildah", "version"])):
        if shutil.which(name) and subprocess.run(question, capture_output=True, check=False).returncode == 0:
            return name
    raise BadInput(
        "runtime image: neither docker (with a running daemon) nor buildah is on this machine",
        remedy="apt-get install buildah; or build it elsewhere and give its archive in runtime.archive",
    )
