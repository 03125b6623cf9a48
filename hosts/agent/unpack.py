"""Unpack a layer so that nothing in it can reach outside its folder.

GNU tar never writes through links it has just made; what it would silently correct (absolute names) or leave
behind (links that lead out, devices, setuid files) is refused afterwards, before the folder is trusted.
"""

from __future__ import annotations

import os
import stat
import subprocess

from .errors import AgentError


def unpack(archive: str, root: str) -> None:
    """Unpack the tar.zst `archive` into the new folder `root`, owned by root, nothing writable by others."""
    os.makedirs(root, mode=0o755)
    zstd = subprocess.Popen(
        ["zstd", "-dcq", "--", archive],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    tar = subprocess.Popen(
        ["tar", "-x", "--no-same-owner", "--no-same-permissions", "-C", root],
        stdin=zstd.stdout,
        stderr=subprocess.PIPE,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
        umask=0o022,
    )
    if zstd.stdout:
        zstd.stdout.close()
    try:
        complaint = tar.communicate()[1].decode(errors="replace").strip()
        torn = zstd.communicate()[1].decode(errors="replace").strip()
    except BaseException:
        tar.kill()
        zstd.kill()
        raise
    if "No space left on device" in complaint:
        raise OSError(28, "No space left on device")
    if tar.returncode or zstd.returncode or complaint:
        raise AgentError("bad_layer", f"cannot unpack: {complaint or torn or 'truncated archive'}")
    check(root)


def check(root: str) -> None:
    """Refuse links that leave `root`, special files, and setuid or setgid bits (`bad_layer`)."""
    folders = [root]
    while folders:
        folder = folders.pop()
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_symlink():
                    _check_link(root, entry.path)
                elif entry.is_dir():
                    folders.append(entry.path)
                else:
                    _check_file(root, entry)


def _check_link(root: str, path: str) -> None:
    """A link may climb, at its beginning only, to the layer's root and no further.

    Its text is judged and not the disk, so that another layer of the build cannot change the verdict.
    """
    target = os.readlink(path)
    steps = target.split("/")
    climb = next((index for index, step in enumerate(steps) if step != ".."), len(steps))
    depth = os.path.relpath(path, root).count("/")
    if target.startswith("/") or ".." in steps[climb:] or climb > depth:
        raise AgentError("bad_layer", f"{os.path.relpath(path, root)} links to {target}, outside the build")


def _check_file(root: str, entry: os.DirEntry[str]) -> None:
    mode = entry.stat(follow_symlinks=False).st_mode
    if not stat.S_ISREG(mode):
        raise AgentError("bad_layer", f"{os.path.relpath(entry.path, root)} is neither file, folder nor link")
    if mode & (stat.S_ISUID | stat.S_ISGID):
        raise AgentError("bad_layer", f"{os.path.relpath(entry.path, root)} is setuid or setgid")
