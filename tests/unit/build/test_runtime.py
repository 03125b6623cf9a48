"""The pinned runtime comes from the npm registry as it is configured, proved, or not at all."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import tarfile
from pathlib import Path

import pytest

from slipway.build.runtime import install, runtime_layer
from slipway.settings import BadInput, Runtime, SlipwayError
from tests.unit.build.conftest import unpack

BUN = Runtime(name="bun", version="1.4.5")


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An npm whose registry has one package, with a shell script as its binary; folder of what it serves."""
    served = tmp_path / "served"
    served.mkdir()
    with tarfile.open(served / "package.tgz", "w:gz") as tar:
        for binary in ("bin/bun", "bin/node", "deno"):
            content = b"#!/bin/sh\necho pinned\n"
            member = tarfile.TarInfo(f"package/{binary}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    digest = hashlib.sha512((served / "package.tgz").read_bytes()).digest()
    (served / "integrity").write_text(f'"sha512-{base64.b64encode(digest).decode()}"')
    program = tmp_path / "bin" / "npm"
    program.parent.mkdir()
    program.write_text(
        f"""#!/bin/sh
echo "$@" >> {served}/asked
case "$2" in
  *@9.9.9) echo '{{"error": {{"code": "E404"}}}}'; exit 1;;
  *@0.0.0) echo "no network" >&2; exit 1;;
esac
case "$1" in
  view) cat {served}/integrity;;
  pack) cp {served}/package.tgz ./served.tgz && echo '[{{"filename": "served.tgz"}}]';;
esac
"""
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return served


def test_bun_is_fetched_once_and_ships_with_bunx(npm: Path, tmp_path: Path) -> None:
    installed = install(BUN)
    assert installed is not None
    assert install(BUN) == installed
    assert len((npm / "asked").read_text().splitlines()) == 2
    assert "@oven/bun-linux-" in (npm / "asked").read_text()
    layer = runtime_layer(installed)
    assert runtime_layer(installed) == layer
    out = unpack(layer.path, tmp_path / "host")
    assert str((out / ".runtime/bin/bunx").readlink()) == "bun"
    assert os.access(out / ".runtime/bin/bun", os.X_OK)


def test_node_ships_as_one_binary(npm: Path) -> None:
    installed = install(Runtime(name="node", version="26.10.0"))
    assert installed is not None
    assert [path.name for path in installed.bin.iterdir()] == ["node"]


def test_deno_ships_as_one_binary(npm: Path) -> None:
    installed = install(Runtime(name="deno", version="2.9.6"))
    assert installed is not None
    assert [path.name for path in installed.bin.iterdir()] == ["deno"]
    assert "@deno/linux-" in (npm / "asked").read_text()


def test_a_package_that_is_not_what_was_promised_is_refused(npm: Path, cache_home: Path) -> None:
    with (npm / "package.tgz").open("ab") as file:
        file.write(b"x")
    with pytest.raises(SlipwayError, match="is not what the npm registry promised"):
        install(BUN)
    assert list((cache_home / "runtimes").iterdir()) == []


def test_a_version_that_does_not_exist_is_bad_input(npm: Path) -> None:
    with pytest.raises(BadInput, match=r"has no @oven/bun-linux-\w+@9\.9\.9"):
        install(Runtime(name="bun", version="9.9.9"))


def test_a_registry_out_of_reach_is_told_with_what_npm_said(npm: Path) -> None:
    with pytest.raises(SlipwayError, match="could not be fetched") as failed:
        install(Runtime(name="bun", version="0.0.0"))
    assert failed.value.details == ("no network",)


def test_python_that_cannot_be_had_is_told_with_a_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uv = tmp_path / "bin" / "uv"
    uv.parent.mkdir()
    uv.write_text("#!/bin/sh\necho 'no download' >&2; exit 1\n")
    uv.chmod(0o755)
    monkeypatch.setenv("PATH", f"{uv.parent}:{os.environ['PATH']}")
    with pytest.raises(SlipwayError, match=r"no standalone Python 3\.13\.1") as failed:
        install(Runtime(name="python", version="3.13.1"))
    assert "UV_PYTHON_INSTALL_MIRROR" in failed.value.remedy


def test_an_app_that_brings_its_own_has_no_runtime() -> None:
    assert install(Runtime(name="none")) is None
