"""A Dockerfile where docker is missing: buildah builds it, here of a program that is linked to musl."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from slipway.build.build import build
from tests.unit.build.conftest import MakeProject, unpack

PROGRAM = """\
#include <stdio.h>
int main(int count, char **words) {
    FILE *file = fopen("/made", "w");
    if (!file || fputs("while it was built\\n", file) < 0 || fclose(file)) return 1;
    return puts("served by musl") < 0;
}
"""
DOCKERFILE = """\
FROM scratch
ARG LABEL=none
COPY ld-musl.so.1 {interpreter}
COPY serve /srv/serve
RUN ["/srv/serve"]
LABEL label=$LABEL
WORKDIR /srv
ENTRYPOINT ["/srv/serve"]
"""


@pytest.fixture
def no_docker(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine without docker: no daemon answers."""
    if not shutil.which("buildah") or not shutil.which("musl-gcc"):
        pytest.skip("needs buildah and musl-tools")
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent.sock")


@pytest.mark.usefixtures("no_docker")
def test_buildah_builds_the_dockerfile_and_its_layers_are_the_builds(
    make_project: MakeProject, tmp_path: Path
):
    settings = {"runtime": {"name": "image"}, "processes": {"web": {"health": "/", "ready": "/"}}}
    project = make_project({"serve.c": PROGRAM}, **settings)
    folder = project.context
    subprocess.run(["musl-gcc", "-o", "serve", "serve.c"], cwd=folder, check=True)
    (interpreter,) = Path("/lib").glob("ld-musl-*.so.1")
    shutil.copy(interpreter, folder / "ld-musl.so.1")
    (folder / "Dockerfile").write_text(DOCKERFILE.format(interpreter=interpreter))
    made = build(project)
    image = made.manifest.image
    assert image
    assert image.digest.startswith("sha256:")
    assert made.manifest.processes["web"].command == "/srv/serve"
    out = tmp_path / "out"
    for path in made.layers.values():
        unpack(path, out)
    assert (out / "made").read_text() == "while it was built\n"
    loader = out / str(interpreter).lstrip("/")
    ran = subprocess.run([loader, out / "srv/serve"], capture_output=True, text=True, check=True)
    assert ran.stdout == "served by musl\n"
    assert build(project).origin == "cache"
