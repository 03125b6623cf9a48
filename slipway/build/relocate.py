"""An unpacked tree of Debian packages that runs from any folder: its own loader starts its programs.

Debian's programs expect to be in /usr. Each becomes a script beside it that starts it by the loader and the C
library of the same packages, so that a host's Debian may be older or newer than the builder's, and that says
where Ruby, PHP and others find their files.
"""

import os
import re
import shutil
from pathlib import Path

ELF = b"\x7fELF"
PROGRAMS = ("usr/bin", "usr/sbin")
REAL = "usr/libexec/programs"
"""Where the programs themselves are."""
NOT_RUN = ("doc", "man", "info", "locale", "lintian", "bug", "ri", "menu", "bash-completion")
"""Folders of /usr/share that no program reads."""


def relocate(root: Path) -> None:
    """Make the packages in `root` run from wherever it is moved to, by the programs in `root`/../bin."""
    for name in NOT_RUN:
        shutil.rmtree(root / "usr/share" / name, ignore_errors=True)
    shutil.rmtree(root / "var", ignore_errors=True)
    _links(root)
    command = _loader(root)
    settings = _ruby(root) + _php(root)
    (root / REAL).mkdir(parents=True, exist_ok=True)
    (root.parent / "bin").mkdir(exist_ok=True)
    for folder in PROGRAMS:
        for path in sorted((root / folder).iterdir()):
            if path.is_file() and not path.is_symlink():
                _program(root, path, command, settings)
            # php.default is what Debian's scripts would make php.
            for name in dict.fromkeys((path.name, path.name.removesuffix(".default"))):
                _offer(root.parent / "bin" / name, path)
    for library in root.glob("usr/lib/python3.*"):  # where an environment looks for it, from .runtime/bin
        _offer(root.parent / "lib" / library.name, library)
        for name in ("python3", "python"):  # which are in packages of their own
            _offer(root.parent / "bin" / name, root / "usr/bin" / library.name)


def _offer(name: Path, path: Path) -> None:
    """`name` leads to `path`, unless something is there: a runtime of its own comes first."""
    name.parent.mkdir(exist_ok=True)
    if not os.path.lexists(name):
        name.symlink_to(os.path.relpath(path, name.parent))


def _program(root: Path, path: Path, command: str, settings: str) -> None:
    with path.open("rb") as file:
        first = file.readline(512)
    if first.startswith(ELF) and command:
        place = path.relative_to(root)
        path.rename(root / REAL / path.name)
        text = WRAPPER.format(
            folder=place.parent, settings=settings, command=command, program=f"{REAL}/{path.name}"
        )
        path.write_text(text)
        path.chmod(0o755)
    elif (name := re.match(rb"#!\s*/usr/bin/([\w.+-]+)\s*$", first)) and any(
        (root / folder / os.fsdecode(name[1])).exists() for folder in PROGRAMS
    ):
        path.write_bytes(b"#!/usr/bin/env " + name[1] + b"\n" + path.read_bytes()[len(first) :])


WRAPPER = """#!/bin/sh
# Starts {program} of Debian by the loader of the same Debian; written by slipway.
self=$(realpath -- "$0")
debian=${{self%/{folder}/*}}
export GCONV_PATH="$debian/usr/lib/gconv"
{settings}exec {command} "$debian/{program}" "$@"
"""


def _links(root: Path) -> None:
    """Absolute links become relative; those to files that postinst scripts would make are removed."""
    for folder, folders, files in os.walk(root):
        for path in (Path(folder) / name for name in [*folders, *files]):
            if path.is_symlink():
                target = str(path.readlink())
                if target.startswith("/"):
                    path.unlink()
                    path.symlink_to(os.path.relpath(root / target.lstrip("/"), path.parent))
                if not path.exists():
                    path.unlink()


def _loader(root: Path) -> str:
    """The command that starts a program with the libraries of `root`; empty if none of them is dynamic."""
    loaders = sorted([*root.glob("usr/lib64/ld-linux-*.so.*"), *root.glob("usr/lib/ld-linux-*.so.*")])
    if not loaders:
        return ""
    folders = sorted({path.parent.relative_to(root) for path in root.glob("usr/lib/*-linux-gnu/*.so*")})
    gconv = next(iter(sorted(root.glob("usr/lib/*-linux-gnu/gconv"))), None)
    if gconv:
        (root / "usr/lib/gconv").symlink_to(f"{gconv.parent.name}/gconv")
    search = ":".join(f"$debian/{each}" for each in [*folders, "usr/lib"])
    return f'"$debian/{loaders[0].relative_to(root)}" --argv0 "$0" --library-path "{search}"'


def _ruby(root: Path) -> str:
    """Ruby's own folders, in the order that it was compiled with: by a file that it loads before RubyGems."""
    found = next(iter(sorted(root.glob("usr/lib/*/ruby/*/rbconfig.rb"))), None)
    if found is None:
        return ""
    arch, version = found.parts[-4], found.parts[-2]
    shim = root / "usr/lib/slipway/ruby/rubygems.rb"
    shim.parent.mkdir(parents=True)
    shim.write_text(RUBYGEMS)
    folders = [
        f"usr/lib/ruby/vendor_ruby/{version}",
        f"usr/lib/{arch}/ruby/vendor_ruby/{version}",
        "usr/lib/ruby/vendor_ruby",
        f"usr/lib/ruby/{version}",
        f"usr/lib/{arch}/ruby/{version}",
    ]
    search = ":".join(f"$debian/{each}" for each in ["usr/lib/slipway/ruby", *folders])
    for path in root.glob("usr/lib/ruby/vendor_ruby/rubygems/defaults/operating_system.rb"):
        text = (
            path.read_text()
            .replace('"/usr/', '"#{RbConfig::TOPDIR}/')
            .replace("'/usr/", "RbConfig::TOPDIR + '/")
        )
        path.write_text(text)
    return _prepended("RUBYLIB", search)


RUBYGEMS = """# Found before RubyGems itself, by RUBYLIB: puts the folders of this Ruby where /usr's
# would be. Gems are then found before the library that came with Ruby, as they must be.
top = File.expand_path("../../..", __dir__)
$LOAD_PATH.reject! { |folder| folder.start_with?("#{top}/") }
$LOAD_PATH.map! { |folder| folder.sub(%r{\\A/usr/lib/}, "#{top}/lib/") }
require $LOAD_PATH.map { |folder| "#{folder}/rubygems.rb" }.find { |path| File.exist?(path) }
"""


def _php(root: Path) -> str:
    """The settings of PHP's extensions, as Debian's own scripts would install them."""
    extensions = next(iter(sorted(root.glob("usr/lib/php/2*"))), None)
    if extensions is None:
        return ""
    folder = root / "etc/php/slipway"
    folder.mkdir(parents=True)
    for path in sorted(root.glob("usr/share/php*/*/*.ini")):
        text = path.read_text()
        priority = re.search(r"^;\s*priority=(\d+)", text, re.M)
        (folder / f"{int(priority[1]) if priority else 20:02d}-{path.name}").write_text(text)
    place = extensions.relative_to(root)
    (folder / "00-folder.ini").write_text(f'extension_dir = "${{SLIPWAY_DEBIAN}}/{place}"\n')
    return 'export SLIPWAY_DEBIAN="$debian"\n' + _prepended("PHP_INI_SCAN_DIR", "$debian/etc/php/slipway")


def _prepended(variable: str, folders: str) -> str:
    """Shell: `folders` before what `variable` has, once: a program may start another."""
    return (
        f'case "${variable}:" in "{folders}:"*) ;; *)'
        f' export {variable}="{folders}${{{variable}:+:${variable}}}" ;; esac\n'
    )
