"""The context: which files are source, what git knows of them, and a clean copy of them."""

import os
import re
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from slipway.settings import BadInput, Build

ALWAYS_LEFT_OUT = ["**/.git", "**/.slipway"]
"""Never part of the source: git's own store, and slipway's (keys of a local fleet)."""

HOOKED = {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"}
"""Variables that git sets for hooks; a release run from a hook must see the context's own repository."""

LEFT_OUT_WITHOUT_GIT = [
    "**/node_modules",
    "**/.venv",
    "**/__pycache__",
    "**/.env",
    "**/.env.local",
    "**/.DS_Store",
]
"""Left out of a context without git, and so without .gitignore."""


@dataclass(frozen=True)
class Source:
    """One state of a context. `files` are relative paths, sorted; `changed` those that are not committed."""

    root: Path
    files: tuple[str, ...]
    sha: str = ""
    """Commit; empty outside of a git work tree and before the first commit."""
    subject: str = ""
    changed: tuple[str, ...] = ()

    @property
    def dirty(self) -> bool:
        """Whether the context differs from its commit."""
        return bool(self.changed)


def read_source(root: Path) -> Source:
    """List the context at `root`: what git tracks or would track, else every file except caches and secrets.

    Raises BadInput if there is no such folder, nothing in it, or a link that leads out of it.
    """
    if not root.is_dir():
        raise BadInput(f"build.context: no folder {root}")
    in_git = is_work_tree(root)
    left_out = matcher(ALWAYS_LEFT_OUT if in_git else ALWAYS_LEFT_OUT + LEFT_OUT_WITHOUT_GIT)
    names = _tracked(root) if in_git else _walk(root)
    files = tuple(sorted(name for name in names if not left_out(name)))
    if not files:
        raise BadInput(f"build.context: no files in {root}", remedy="are they all ignored by .gitignore?")
    refuse_strange(root, files)
    if not in_git:
        return Source(root, files)
    return Source(
        root,
        files,
        sha=_git(root, "rev-parse", "--verify", "--quiet", "HEAD"),
        subject=_git(root, "log", "-1", "--format=%s"),
        changed=tuple(name for name in _changed(root) if not left_out(name)),
    )


def shipped_files(source: Source, build: Build) -> list[str]:
    """Files of `source` that the app layer would hold; all of them if a command builds from them."""
    if build.command:
        return list(source.files)
    included, excluded = matcher(build.include), matcher(build.exclude)
    return [name for name in source.files if included(name) and not excluded(name)]


def is_work_tree(root: Path) -> bool:
    """Whether `root` is in a git work tree.

    Raises BadInput if a repository is there but git is missing or refuses it: without git it is unknown
    which files are ignored, and those may hold secrets.
    """
    if _git(root, "rev-parse", "--is-inside-work-tree") == "true":
        return True
    if any((folder / ".git").exists() for folder in [root, *root.parents]):
        if not shutil.which("git"):
            raise BadInput(f"{root} is in a git repository, but there is no git", remedy="install git")
        raise BadInput(
            f"git refuses the repository of {root}",
            remedy="see what `git status` says there; a foreign owner is allowed by git's safe.directory",
        )
    return False


def refuse_dirty(source: Source) -> None:
    """Raise BadInput, naming the files, unless the context is exactly a commit."""
    if not source.sha:
        raise BadInput(
            f"{source.root} is not at a commit, and this stack builds commits only (allow_dirty: false)",
            remedy="commit it to git, or set slipway:allow_dirty: true for this stack",
        )
    if source.dirty:
        raise BadInput(
            f"{len(source.changed)} uncommitted changes, and this stack refuses them (allow_dirty: false)",
            remedy="commit or stash them",
            details=[*source.changed[:20], *(["…"] if len(source.changed) > 20 else [])],
        )


def copy_files(root: Path, files: Iterable[str], destination: Path) -> None:
    """Copy `files` of `root` into `destination`, sharing blocks where the filesystem can, never inodes.

    A build may write into its copy in place; a hard link would carry that into the user's work tree.
    """
    made: set[Path] = set()
    for name in files:
        origin, target = root / name, destination / name
        if target.parent not in made:
            target.parent.mkdir(parents=True, exist_ok=True)
            made.add(target.parent)
        info = origin.lstat()
        if stat.S_ISLNK(info.st_mode):
            target.symlink_to(origin.readlink())
            continue
        _clone(origin, target, info.st_size)
        target.chmod(0o755 if info.st_mode & 0o111 else 0o644)


def refuse_strange(root: Path, files: Iterable[str]) -> None:
    """Raise BadInput for a link out of `root`, a pipe, socket or device: no host could unpack it."""
    for name in files:
        path = root / name
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode) and (target := leads_out(name, str(path.readlink()))):
            raise BadInput(
                f"{name} is a link to {target}, outside of the context {root}",
                remedy="widen build.context, or replace the link by what it points to",
            )
        if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
            raise BadInput(f"{name} is neither a file nor a link, so it cannot be shipped")


def leads_out(name: str, target: str) -> str:
    """`target` if the link `name` (relative to a root) is absolute or leaves that root; else empty."""
    reached = os.path.normpath(os.path.join(os.path.dirname(name), target))  # noqa: PTH118, PTH120 - as text
    return target if target.startswith("/") or reached == ".." or reached.startswith("../") else ""


def _clone(origin: Path, target: Path, size: int) -> None:
    with origin.open("rb") as reader, target.open("wb") as writer:
        try:
            while size > 0 and (copied := os.copy_file_range(reader.fileno(), writer.fileno(), size)):
                size -= copied
        except OSError:
            reader.seek(0)
            writer.seek(0)
            shutil.copyfileobj(reader, writer, 1 << 20)


def _git(root: Path, *arguments: str) -> str:
    """git's output without the last line break; empty if it fails or is missing."""
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", "-C", str(root), *arguments],
            capture_output=True,
            check=False,
            env={name: value for name, value in os.environ.items() if name not in HOOKED},
        )
    except FileNotFoundError:
        return ""
    return done.stdout.decode("utf-8", "surrogateescape").rstrip("\n") if done.returncode == 0 else ""


def _tracked(root: Path) -> list[str]:
    listed = _git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    names: list[str] = []
    for name in dict.fromkeys(filter(None, listed)):
        path = root / name
        if path.is_dir() and not path.is_symlink():  # a submodule, or a repository inside this one
            inner = _tracked(path) if (path / ".git").exists() else _walk(path)
            names += [f"{name.rstrip('/')}/{below}" for below in inner]
        elif path.is_symlink() or path.exists():  # tracked but deleted: it counts as a change
            names.append(name)
    return names


def _walk(root: Path) -> list[str]:
    names: list[str] = []
    for folder, folders, files in os.walk(root):
        relative = os.path.relpath(folder, root)
        linked = [name for name in folders if (Path(folder) / name).is_symlink()]
        folders[:] = [name for name in folders if name not in {*linked, ".git", "node_modules", ".venv"}]
        names += [os.path.normpath(os.path.join(relative, name)) for name in [*files, *linked]]  # noqa: PTH118
    return names


def _changed(root: Path) -> list[str]:
    fields = iter(_git(root, "status", "--porcelain", "-z", "--no-renames", "--", ".").split("\0"))
    top = _git(root, "rev-parse", "--show-prefix")
    return [field[3:].removeprefix(top) for field in fields if field]


_TOKEN = re.compile(
    r"(?P<folders>\*\*/)|(?P<rest>\*\*)|(?P<star>\*)|(?P<one>\?)|(?P<set>\[!?[^\]/]+\])|(?P<text>.)"
)


def matcher(patterns: Iterable[str]) -> Callable[[str], bool]:
    """A test of one relative path (`/` between folders) against all of `patterns`.

    `*` and `?` stay within a folder, `**` does not; a folder stands for all below it.
    """
    compiled = [_compiled(pattern) for pattern in patterns]
    return lambda path: any(regex.match(path) for regex in compiled)


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    clean = pattern.removeprefix("./").rstrip("/")
    body = "".join(_regex(token) for token in _TOKEN.finditer(clean))
    return re.compile(rf"(?s:{body})(?:/.*)?\Z")


def _regex(token: re.Match[str]) -> str:
    text = token.group()
    match token.lastgroup:
        case "folders":
            return "(?:.*/)?"
        case "rest":
            return ".*"
        case "star":
            return "[^/]*"
        case "one":
            return "[^/]"
        case "set":
            return text.replace("[!", "[^", 1)
        case _:
            return re.escape(text)
