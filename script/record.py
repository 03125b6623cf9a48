"""Records a session in a terminal: docs/recording.cast (asciicast 2), and docs/recording.svg, made of it.

python script/record.py FOLDER COMMAND…: types each command in FOLDER, one after another, in a terminal.
What is recorded is what they print, when they print it; only waits are cut to two seconds.
"""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
COLUMNS, ROWS = 100, 26
LONGEST_WAIT = 2.0
"""Seconds of a wait that are kept."""
PER_KEY = 0.04
TO_SVG = ("npx", "--yes", "svg-term-cli@2.1.1", "--window", "--width", str(COLUMNS), "--height", str(ROWS))


class Cast:
    """An asciicast in the making: events at times that only grow."""

    def __init__(self) -> None:
        self.at = 0.0
        self.events: list[tuple[float, str, str]] = []

    def write(self, text: str, after: float) -> None:
        self.at += min(after, LONGEST_WAIT)
        self.events.append((round(self.at, 3), "o", text))

    def type(self, command: str) -> None:
        self.write("\x1b[1;32m$\x1b[0m ", 0.6)
        for key in command:
            self.write(key, PER_KEY)
        self.write("\r\n", 0.4)

    def text(self) -> str:
        header = {"version": 2, "width": COLUMNS, "height": ROWS, "env": {"TERM": "xterm-256color"}}
        return "".join(f"{json.dumps(each, ensure_ascii=False)}\n" for each in [header, *self.events])


def run(command: str, folder: Path, cast: Cast) -> None:
    """Run `command` in a terminal of its own. Raises SystemExit if it fails."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        size = {"COLUMNS": str(COLUMNS), "LINES": str(ROWS), "TERM": "xterm-256color"}
        os.execvpe(  # noqa: S606 - a shell, by intent
            "bash", ["bash", "-c", f"stty cols {COLUMNS} rows {ROWS}; {command}"], {**os.environ, **size}
        )
    last = time.monotonic()
    while True:
        select.select([terminal], [], [])
        try:
            data = os.read(terminal, 65536)
        except OSError:  # how Linux says that the other end is closed
            break
        if not data:
            break
        now = time.monotonic()
        cast.write(data.decode(errors="replace"), now - last)
        last = now
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code != 0:
        sys.exit(f"{command} ended with {code}:\n{''.join(text for _, _, text in cast.events[-40:])}")


def main() -> None:
    folder, commands = Path(sys.argv[1]), sys.argv[2:]
    cast = Cast()
    for command in commands:
        cast.type(command)
        run(command, folder, cast)
    cast.write("", 3.0)
    recorded = DOCS / "recording.cast"
    recorded.write_text(cast.text())
    subprocess.run([*TO_SVG, "--in", str(recorded), "--out", str(DOCS / "recording.svg")], check=True)


if __name__ == "__main__":
    main()
