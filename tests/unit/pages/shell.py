"""Types a page of Markdown into a shell, as a reader would."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.unit.pages.blocks import Block, lines

MARK = "::block "
MAY_FAIL = re.compile(r"slipway doctor\b")
"""Exit code 1 says that something is missing, which is what the page shows."""
READS_A_VALUE = re.compile(r"slipway secrets set \w+ [^<]*$")


def type_and_compare(
    page: list[Block],
    folder: Path,
    runs: Callable[[str], bool],
    env: Mapping[str, str] | None = None,
    seconds: float = 300,
) -> None:
    """Type the commands of `page` that `runs` accepts; what its blocks of output show must be printed."""
    printed = type_in(script_of(page, runs), folder, env or {}, seconds)
    outputs = [part.partition("\n")[2] for part in f"\n{printed}".split(f"\n{MARK}")[1:]]
    for typed, output, shown in zip(page, outputs, page[1:], strict=False):
        is_output = typed.language == "sh" and shown.language == "text" and not shown.title
        if is_output and all(runs(line) for line in lines(typed.text)):
            missing = set(squeezed(shown.text)) - set(squeezed(output))
            assert not missing, f"{shown.place}: the commands above do not print this"


def script_of(page: list[Block], runs: Callable[[str], bool]) -> str:
    """The page as a shell script: it writes files and runs commands; a mark begins each block's output."""
    parts = ["set -eo pipefail"]
    for number, block in enumerate(page):
        parts.append(f"echo {shlex.quote(MARK + str(number))}")
        if block.title:
            name = shlex.quote(block.title)
            parts.append(f"mkdir -p $(dirname {name})\ncat >{name} <<'END OF FILE'\n{block.text}END OF FILE")
        elif block.language == "sh":
            parts += [command(line) for line in lines(block.text) if runs(line)]
    return "\n".join(parts) + "\n"


def command(line: str) -> str:
    if MAY_FAIL.match(line):
        return f"{line} || [ $? -eq 1 ]"
    return f"{line} <<<'8f3b1c77e0d84a52b6'" if READS_A_VALUE.match(line) else line


def type_in(script: str, folder: Path, more: Mapping[str, str], seconds: float) -> str:
    """What the shell prints; fails with it if a command fails."""
    home = folder / "home"
    home.mkdir(exist_ok=True)
    env = {
        **{
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("SLIPWAY_", "XDG_", "CI"))
        },
        "HOME": str(home),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "200",
        **{
            f"GIT_{who}_{what}": "reader@example.com"
            for who in ("AUTHOR", "COMMITTER")
            for what in ("NAME", "EMAIL")
        },
        **more,
    }
    work = folder / "work" / "hello" if (folder / "work" / "hello").exists() else folder / "work"
    work.mkdir(exist_ok=True)
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=work,
        env=env,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def squeezed(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]
