"""Finds secrets in the files that would be shipped (P5): values of the stack's store, keys of well-known
kinds, and `.env` files with values."""

import fnmatch
import mmap
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from slipway.secrets.check import is_development_value
from slipway.secrets.redact import forms
from slipway.settings import App

SHORTEST = 8
"""Shorter values would match ordinary source by chance."""

KNOWN_KEYS: dict[str, bytes] = {
    "an AWS access key": rb"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "a Stripe live key": rb"\b[rs]k_live_[0-9A-Za-z]{16,}",
    "a webhook signing secret": rb"\bwhsec_[0-9A-Za-z+/]{24,}",
    "a private key": rb"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----\s+[A-Za-z0-9+/=\n\r\\]{40}",
    "an age private key": rb"\bAGE-SECRET-KEY-1[0-9A-Z]{58}\b",
    "a GitHub token": rb"\b(?:gh[pousr]_[0-9A-Za-z]{36}|github_pat_[0-9A-Za-z_]{60,})",
    "a GitLab token": rb"\bglpat-[0-9A-Za-z_-]{20,}",
    "a Slack token": rb"\bxox[abeoprs]-[0-9A-Za-z-]{20,}",
    "an npm token": rb"\bnpm_[0-9A-Za-z]{36}\b",
    "a Google API key": rb"\bAIza[0-9A-Za-z_-]{35}\b",
    "a SendGrid key": rb"\bSG\.[0-9A-Za-z_-]{22}\.[0-9A-Za-z_-]{43}",
}
"""Pattern of a key, by its kind."""
_DOCUMENTED = re.compile(rb"EXAMPLE|example|0{8}|x{8}|X{8}|1234567890")
"""Keys in documentation, which give no access."""
_KNOWN = re.compile(b"|".join(b"(%s)" % pattern for pattern in KNOWN_KEYS.values()))
_KINDS = tuple(KNOWN_KEYS)
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


def scan(root: Path, files: Iterable[str], secrets: Mapping[str, str], app: App | None = None) -> list[Leak]:
    """Secrets in `files` (relative to `root`), sorted by place. Links and empty files are skipped."""
    names, values = _values(secrets)
    leaks: set[Leak] = set()
    for file in files:
        path = root / file
        if path.is_symlink() or not path.is_file() or path.stat().st_size == 0:
            continue
        with path.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
            leaks.update(_found(file, content, names, values))
        if _is_env_file(path.name):
            leaks.update(_env_values(file, path, app))
    return sorted(leaks)


def _values(secrets: Mapping[str, str]) -> tuple[dict[bytes, str], re.Pattern[bytes] | None]:
    names: dict[bytes, str] = {}
    for name, value in sorted(secrets.items()):
        if len(value) >= SHORTEST:
            for form in forms(value):
                names.setdefault(form.encode(), name)
    longest_first = sorted(names, key=len, reverse=True)
    return names, re.compile(b"|".join(map(re.escape, longest_first))) if longest_first else None


def _found(
    file: str, content: mmap.mmap, names: Mapping[bytes, str], values: re.Pattern[bytes] | None
) -> Iterator[Leak]:
    for match in values.finditer(content) if values else ():
        yield Leak(file, _line(content, match.start()), f"the value of {names[match[0]]}")
    for match in _KNOWN.finditer(content):
        if not _DOCUMENTED.search(match[0]):
            yield Leak(file, _line(content, match.start()), _KINDS[(match.lastindex or 1) - 1])


def _line(content: mmap.mmap, at: int) -> int:
    return content[:at].count(b"\n") + 1


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
            if _is_secret(name, app) and not is_development_value(value):
                yield Leak(file, number, f"a value for {name} in a template, which should be empty")
        elif _is_secret(name, app):
            yield Leak(file, number, f"a value for {name} in an env file")


def _is_secret(name: str, app: App | None) -> bool:
    """Whether `name` is a secret: by the env contract, or by its words if the contract does not have it."""
    if app is not None and name in app.env:
        return app.env[name].secret
    return bool(
        re.search(r"SECRET|TOKEN|PASSWORD|PASSWD|PRIVATE|API_?KEY|ACCESS_?KEY|CREDENTIAL", name.upper())
    )
