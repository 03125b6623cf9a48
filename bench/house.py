"""The shape of the source: files, lines, imports, short docstrings. `python -m bench.house [REVISION]`"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath
from statistics import median

ROOMS = ("slipway", "hosts", "infra", "checks", "loadtests")
PLATFORM = re.compile(r"""platform\s*(==|!=)|\.platform (not )?in\b|case "(aws|hosts|servers|local)\"""")
SHORT = 4
"""Words of a docstring that is likely to repeat the name it documents."""


@dataclass(frozen=True)
class Source:
    """One Python file of the product."""

    path: str
    text: str

    @property
    def lines(self) -> int:
        return self.text.count("\n")

    @property
    def imports(self) -> int:
        return sum(isinstance(node, ast.Import | ast.ImportFrom) for node in ast.walk(ast.parse(self.text)))

    @property
    def short_docstrings(self) -> int:
        found = (
            ast.get_docstring(node)
            for node in ast.walk(ast.parse(self.text))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module)
        )
        return sum(bool(text) and len(text.split()) <= SHORT for text in found)

    @property
    def platform_lines(self) -> int:
        return sum(bool(PLATFORM.search(line)) for line in self.text.splitlines())


def sources(revision: str) -> Iterator[Source]:
    """The product's Python files at a git revision."""
    names = _git("ls-tree", "-r", "--name-only", revision, *ROOMS).splitlines()
    for name in names:
        if PurePath(name).suffix == ".py":
            yield Source(name, _git("show", f"{revision}:{name}"))


def main() -> None:
    revision = sys.argv[1] if len(sys.argv) > 1 else "HEAD"
    found = list(sources(revision))
    print(f"{'room':<22}{'files':>6}{'lines':>8}{'median':>8}{'max':>6}{'imports/100':>13}")
    groups = {room: [each for each in found if each.path.startswith(f"{room}/")] for room in ROOMS}
    slipway: dict[str, list[Source]] = {}
    for each in groups["slipway"]:
        slipway.setdefault("/".join(each.path.split("/")[:2]), []).append(each)
    for room, files in [("all", found), *groups.items(), *sorted(slipway.items())]:
        lines = [each.lines for each in files if each.lines]
        total = sum(lines)
        dense = 100 * sum(each.imports for each in files) / total
        print(f"{room:<22}{len(files):>6}{total:>8}{median(lines):>8.0f}{max(lines):>6}{dense:>13.1f}")
    print(f"docstrings of at most {SHORT} words: {sum(each.short_docstrings for each in found)}")
    compared = {each.path: each.platform_lines for each in found if each.platform_lines}
    print(f"lines that compare a platform: {sum(compared.values())} in {len(compared)} files")
    for path, count in compared.items():
        print(f"  {path} {count}")


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    main()
