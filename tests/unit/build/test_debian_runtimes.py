"""Debian's own Ruby, PHP and Python run from a layer in another folder than it was made in."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from slipway.build.runtime import Installed, install, runtime_layer
from slipway.settings import Runtime
from tests.unit.build.conftest import unpack

pytestmark = pytest.mark.skipif(shutil.which("apt-get") is None, reason="runtime.apt needs Debian or Ubuntu")
PACKAGES = ["ruby", "ruby-bundler", "ruby-dev", "puma", "php-cli", "php-mbstring", "php-xml", "python3"]
"""Some 60 packages, 25 MB."""


@pytest.fixture(scope="module")
def layer(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Installed]:
    """Where a host would have the layer; what it was made from is gone."""
    cache = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(cache))
        installed = install(Runtime(name="debian", apt=PACKAGES))
        assert installed is not None
        root = unpack(runtime_layer(installed).path, tmp_path_factory.mktemp("host") / "slot")
    shutil.rmtree(cache)
    return root, installed


def run(layer: tuple[Path, Installed], *command: str) -> str:
    """What `command` writes on a host whose app user can write nowhere and has no settings."""
    root, _ = layer
    env = {"PATH": f"{root}/.runtime/bin:/usr/bin:/bin", "HOME": "/nonexistent", "LANG": "C.UTF-8"}
    done = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.strip()


def test_ruby_finds_its_library_its_gems_and_itself(layer: tuple[Path, Installed]) -> None:
    script = (
        "require 'json'; require 'openssl'; require 'puma'; puts JSON.generate("
        "lib: $LOADED_FEATURES.find { _1.end_with?('/json.rb') }, top: RbConfig::CONFIG['prefix'],"
        "ruby: `#{RbConfig.ruby} -e 'print 6 * 7'`, order: %w[site_ruby vendor_ruby].map { |name|"
        ' $LOAD_PATH.index { |folder| folder.include?("/#{name}") } })'
    )
    said = json.loads(run(layer, "ruby", "-e", script))
    debian = f"{layer[0]}/.runtime/debian/usr"
    assert said["lib"].startswith(f"{debian}/lib/ruby/")
    assert (said["top"], said["ruby"]) == (debian, "42")
    assert said["order"] == sorted(said["order"]), "RubyGems puts gems where site_ruby is, first"
    assert "puma" in run(layer, "gem", "list", "--local")
    assert "Bundler version" in run(layer, "bundle", "--version")


@pytest.mark.skipif(shutil.which("make") is None or shutil.which("gcc") is None, reason="needs a C compiler")
def test_ruby_compiles_extensions_of_gems_for_itself(layer: tuple[Path, Installed], tmp_path: Path) -> None:
    (tmp_path / "extconf.rb").write_text('require "mkmf"\ncreate_makefile("day")\n')
    (tmp_path / "day.c").write_text(
        "#include <ruby.h>\nstatic VALUE hours(VALUE self) { return INT2NUM(24); }\n"
        'void Init_day(void) { rb_define_global_function("hours", hours, 0); }\n'
    )
    compiled = f"cd {tmp_path} && ruby extconf.rb >log && make >>log 2>&1"
    assert run(layer, "sh", "-c", f"{compiled} && ruby -I. -rday -e 'print hours'") == "24"


def test_php_has_the_extensions_of_its_packages_and_starts_itself(layer: tuple[Path, Installed]) -> None:
    script = (
        'echo json_encode([mb_strtoupper("é"), iconv("UTF-8", "ISO-8859-1", "é") === "\\xe9",'
        ' extension_loaded("dom"), trim(shell_exec(PHP_BINARY . " -r \'echo 6 * 7;\'"))]);'
    )
    assert json.loads(run(layer, "php", "-r", script)) == ["É", True, True, "42"]


def test_python_makes_environments_that_move_with_the_build(layer: tuple[Path, Installed]) -> None:
    root, _ = layer
    run(layer, "python3", "-m", "venv", "--without-pip", ".venv")
    config = root / ".venv/pyvenv.cfg"  # as slipway ships it
    config.write_text("include-system-site-packages = false\n")
    link = root / ".venv/bin/python3"
    link.unlink()
    link.symlink_to("../../.runtime/bin/python3")
    script = "import sys, ssl, sqlite3; print(sys.prefix, sys.base_prefix)"
    prefix, base = run(layer, ".venv/bin/python3", "-c", script).split()
    assert (prefix, base) == (f"{root}/.venv", f"{root}/.runtime/debian/usr")


def test_every_package_has_a_version_and_the_hash_of_what_was_fetched(layer: tuple[Path, Installed]) -> None:
    debs = {deb.name: deb for deb in layer[1].debs}
    assert {"ruby", "libc6", "php-cli", "python3"} <= set(debs)
    assert all(len(deb.sha256) == 64 and deb.version for deb in debs.values())
