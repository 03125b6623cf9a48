"""Facts about a repository, read from its files: dependencies, entry points, names of env variables."""

import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from slipway.build.source import matcher, read_source
from slipway.settings import BadInput

SOURCE = {
    *(".ts", ".tsx", ".js", ".jsx", ".mjs", ".cjs", ".py", ".go", ".rs", ".rb", ".ru", ".php"),
    *(".html", ".vue", ".svelte", ".astro"),
}
NOT_THE_APP = re.compile(
    r"(^|/)(tests?|__tests__|spec|e2e|docs|examples?|fixtures|node_modules|vendor)/|\.(test|spec)\."
)
READ_AT_MOST = 512 * 1024
"""Bytes of one source file; what is longer is made by a program."""
_ENV_READS = re.compile(
    r"""(?:process\.env|Bun\.env|import\.meta\.env|env)\.([A-Z][A-Z0-9_]+)\b
      |(?:process\.env|Bun\.env|os\.environ|ENV)\[\s*["']([A-Z][A-Z0-9_]+)["']
      |(?:os\.environ\.get|os\.getenv|os\.Getenv|os\.LookupEnv|env::var|ENV\.fetch|Deno\.env\.get|getenv|config|env
         )\(\s*["']([A-Z][A-Z0-9_]+)["']""",
    re.X,
)


@dataclass(frozen=True)
class Package:
    """One package.json. `folder` is relative to the repository, `.` for its root."""

    folder: str
    data: dict[str, Any]

    @property
    def needs(self) -> dict[str, str]:
        """Dependencies that run in production, with their versions."""
        return cast("dict[str, str]", self.data.get("dependencies") or {})

    @property
    def scripts(self) -> dict[str, str]:
        return cast("dict[str, str]", self.data.get("scripts") or {})

    @property
    def name(self) -> str:
        return str(self.data.get("name") or "").rpartition("/")[2]


class Repository:
    """The files of a folder that git would keep."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @cached_property
    def files(self) -> tuple[str, ...]:
        """Relative paths, sorted; none for an empty folder."""
        try:
            return read_source(self.root).files
        except BadInput as problem:
            if "no files" in problem.message:
                return ()
            raise

    def has(self, name: str) -> bool:
        """Whether a file of this name is in the root; `*` and `**` as in globs of slipway.toml."""
        return name in self.files or ("*" in name and any(map(matcher([name]), self.files)))

    def first(self, *names: str) -> str:
        """The first of `names` that is there, or an empty text."""
        return next((name for name in names if name in self.files), "")

    def text(self, name: str) -> str:
        """The text of a file; empty if it is not there or too long to be a person's."""
        path = self.root / name
        try:
            return path.read_text(errors="replace") if path.stat().st_size <= READ_AT_MOST else ""
        except OSError:
            return ""

    def toml(self, name: str) -> dict[str, Any]:
        try:
            return tomllib.loads(self.text(name))
        except tomllib.TOMLDecodeError:
            return {}

    def table(self, name: str, *keys: str) -> dict[str, Any]:
        """The table at `keys` of a TOML file; empty if it is not there."""
        found: Any = self.toml(name)
        for key in keys:
            found = cast("dict[str, Any]", found).get(key) if isinstance(found, dict) else None
        return cast("dict[str, Any]", found) if isinstance(found, dict) else {}

    @cached_property
    def packages(self) -> list[Package]:
        """The package.json of the root, then those of its workspaces; without a root, every one."""
        found: list[Package] = []
        names = [name for name in self.files if name.rpartition("/")[2] == "package.json"]
        for name in sorted(names, key=lambda each: (each.count("/"), each)):
            try:
                data = json.loads(self.text(name))
            except ValueError:
                continue
            if isinstance(data, dict) and not NOT_THE_APP.search(name):
                found.append(Package(name.rpartition("/")[0] or ".", cast("dict[str, Any]", data)))
        has_root = bool(found) and found[0].folder == "."
        is_monorepo = has_root and ("workspaces" in found[0].data or "pnpm-workspace.yaml" in self.files)
        return found[:1] if has_root and not is_monorepo else found

    @cached_property
    def js(self) -> dict[str, str]:
        """Every dependency of every package, with its version."""
        return {
            name: version for package in reversed(self.packages) for name, version in package.needs.items()
        }

    @cached_property
    def python(self) -> set[str]:
        """Python dependencies and their extras (`channels[daphne]`), in lower case with hyphens."""
        listed = cast("list[object]", self.table("pyproject.toml", "project").get("dependencies") or [])
        named = [*map(str, listed), *self.table("pyproject.toml", "tool", "poetry", "dependencies")]
        for file in ("requirements.txt", "requirements/base.txt", "requirements/production.txt", "Pipfile"):
            named += self.text(file).splitlines()
        found = (re.match(r"\s*([A-Za-z0-9][\w.-]*)\s*(?:\[([^\]]*)\])?", each) for each in named)
        names = [name for match in found if match for name in (match[1], *(match[2] or "").split(","))]
        return {re.sub(r"[._]", "-", name.strip()).lower() for name in names if name.strip()}

    @cached_property
    def gems(self) -> set[str]:
        return set(re.findall(r"""^\s*gem\s+["']([\w-]+)["']""", self.text("Gemfile"), re.M))

    @cached_property
    def crates(self) -> set[str]:
        return set(self.table("Cargo.toml", "dependencies"))

    def source(self) -> Iterator[tuple[str, str]]:
        """Name and text of every source file of the app itself, without tests."""
        for name in self.files:
            if Path(name).suffix in SOURCE and not NOT_THE_APP.search(name):
                yield name, self.text(name)

    @cached_property
    def env_reads(self) -> dict[str, str]:
        """Env variables that the source reads, each with the first file that does."""
        found: dict[str, str] = {}
        for name, text in self.source():
            for match in _ENV_READS.finditer(text):
                found.setdefault(match[1] or match[2] or match[3], name)
        return found

    def search(self, pattern: str) -> tuple[str, re.Match[str]] | None:
        """The first source file in which `pattern` is found, nearest to the root first."""
        compiled = re.compile(pattern, re.M)
        for name, text in sorted(self.source(), key=lambda each: (each[0].count("/"), each[0])):
            if match := compiled.search(text):
                return name, match
        return None
