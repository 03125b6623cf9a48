"""Finds secrets in the files that would be shipped (P5): values of the stack's store, keys of well-known
kinds, and `.env` files with values."""

import fnmatch
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ahocorasick_rs import BytesAhoCorasick, MatchKind

from slipway.secrets.check import weaknesses
from slipway.secrets.redact import forms
from slipway.secrets.rules import AFTER, known_keys
from slipway.settings import App

SHORTEST = 8
"""Shorter values would match ordinary source by chance."""

CHUNK = 4 << 20
"""Bytes that are searched at once: between two chunks a scan can be stopped."""
OVERLAP = 2 * AFTER
"""Bytes of a chunk that are searched again with the next one."""
HEAD = 8192
"""As git does: a file with a zero byte in here is binary."""
PRAGMAS = re.compile(rb"gitleaks:allow|pragma: ?(?:allow|white)list secret")
"""On a line: its key is known to be harmless."""
_TEMPLATES = (".example", ".sample", ".template", ".dist", ".defaults")
_ASSIGNED = re.compile(r"^\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*?)\s*$")
_COMMENT = re.compile(r"\s#.*$")


@dataclass(frozen=True, order=True)
class Leak:
    """A secret in a file. `line` counts from 1; `what` never holds the value."""

    file: str
    line: int
    what: str

    @property
    def where(self) -> str:
        """`file:line`."""
        return f"{self.file}:{self.line}"


def scan(
    root: Path,
    files: Iterable[str],
    secrets: Mapping[str, str],
    app: App | None = None,
    *,
    allowed: Callable[[str], bool] = lambda _: False,
    seen: Callable[[int], None] = lambda _: None,
) -> list[Leak]:
    """Secrets in `files` (relative to `root`), sorted by place. Links and empty files are skipped.

    Binary files, and files that are `allowed`, are searched for values of `secrets` only. `seen` gets the
    number of bytes of each chunk as it is done; what it raises ends the scan.
    """
    names = _values(secrets)
    stored = BytesAhoCorasick(list(names), MatchKind.LeftmostLongest) if names else None
    values = tuple(names.values())
    leaks: set[Leak] = set()
    for file in files:
        path = root / file
        if not _has_content(path):
            continue
        known = not allowed(file)
        leaks.update(_found(file, path, stored, values, known=known, seen=seen))
        if known and _is_env_file(path.name):
            leaks.update(_env_values(file, path, app))
    return sorted(leaks)


def _has_content(path: Path) -> bool:
    """Is it a file, no link, of more than no byte?"""
    try:
        found = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return stat.S_ISREG(found.st_mode) and found.st_size > 0


def _values(secrets: Mapping[str, str]) -> dict[bytes, str]:
    """Every form of every value, with the name of its secret."""
    names: dict[bytes, str] = {}
    for name, value in sorted(secrets.items()):
        if len(value) >= SHORTEST:
            for form in forms(value):
                names.setdefault(form.encode(), name)
    return names


def _found(
    file: str,
    path: Path,
    stored: BytesAhoCorasick | None,
    values: tuple[str, ...],
    *,
    known: bool,
    seen: Callable[[int], None],
) -> Iterator[Leak]:
    lines, text = 1, b""
    with path.open("rb", buffering=0) as opened:
        while chunk := opened.read(CHUNK):
            known = known and not (not text and b"\0" in chunk[:HEAD])
            # A chunk begins with the end of the one before: a secret may lie across the two.
            lines += text.count(b"\n", 0, max(0, len(text) - OVERLAP))
            text = text[-OVERLAP:] + chunk
            places = [
                (at, f"the value of {values[which]}")
                for which, at, _ in (stored.find_matches_as_indexes(text) if stored else ())
            ]
            if known:
                places += [(at, f"a key, by its form: {kind}") for at, kind in known_keys().find(text)]
            for at, what in places:
                if not (what.startswith("a key") and PRAGMAS.search(_line_of(text, at))):
                    yield Leak(file, lines + text.count(b"\n", 0, at), what)
            seen(len(chunk))


def _line_of(text: bytes, at: int) -> bytes:
    end = text.find(b"\n", at)
    return text[text.rfind(b"\n", 0, at) + 1 : end if end >= 0 else len(text)]


def _is_env_file(name: str) -> bool:
    return fnmatch.fnmatch(name, ".env") or fnmatch.fnmatch(name, ".env.*") or name.endswith(".env")


def _env_values(file: str, path: Path, app: App | None) -> Iterator[Leak]:
    """Assignments of a value to a secret; in a template, unless it is a development value."""
    is_template = path.name.endswith(_TEMPLATES)
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1):
        match = _ASSIGNED.match(line)
        if match is None:
            continue
        name, value = match[1], _COMMENT.sub("", match[2]).strip("\"'")
        if not value or value.startswith("#"):
            continue
        if is_template:
            if _is_secret(name, app) and _looks_real(value):
                yield Leak(file, number, f"a value for {name} in a template, which should be empty")
        elif _is_secret(name, app):
            yield Leak(file, number, f"a value for {name} in an env file")


def _looks_real(value: str) -> bool:
    """Whether `value` looks like a generated one: letters and digits without a word in between."""
    mixed = re.search(r"[0-9]", value) and re.search(r"[A-Za-z]", value)
    return bool(re.fullmatch(r"[\w+/=.~-]{16,}", value) and mixed and not weaknesses(value))


def _is_secret(name: str, app: App | None) -> bool:
    """Whether `name` is a secret: by the env contract, or by its words if the contract does not have it."""
    if app is not None and name in app.env:
        return app.env[name].secret
    return bool(
        re.search(r"SECRET|TOKEN|PASSWORD|PASSWD|PRIVATE|API_?KEY|ACCESS_?KEY|CREDENTIAL", name.upper())
    )
