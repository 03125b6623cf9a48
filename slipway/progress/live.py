"""Progress on a terminal: phases with their times and, below the running one, what each host does."""

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TextIO

from rich.console import Console
from rich.live import Live as Redrawn
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from slipway.settings.printable import printable


@dataclass
class _Running:
    name: str
    text: str
    began: float = field(default_factory=time.monotonic)
    hosts: dict[str, str] = field(default_factory=dict[str, str])


class Live:
    """Draws the running phases below the finished lines."""

    def __init__(self, stream: TextIO) -> None:
        self._console = Console(file=stream, highlight=False)
        self._stack: list[_Running] = []
        self._redrawn: Redrawn | None = None
        self._lock = threading.RLock()
        self._spinner = Spinner("dots")

    @contextmanager
    def phase(self, name: str, text: str = "") -> Generator[None]:
        """Show the phase as running, then keep one line on how it ended."""
        running = _Running(name, text)
        self._push(running)
        try:
            yield
        except BaseException:
            self._pop(running, Text("✗", "red"), "failed after ")
            raise
        else:
            self._pop(running, Text("✓", "green"), "")

    def host(self, host: str, text: str) -> None:
        """Show what the host is doing."""
        with self._lock:
            if self._stack:
                self._stack[-1].hosts[host] = text
            else:
                self.line(f"{host}: {text}")

    def line(self, text: str) -> None:
        """Print above what is being redrawn."""
        self._console.print(Text(printable(f"  {text}"), style="dim"))

    def _push(self, running: _Running) -> None:
        with self._lock:
            self._stack.append(running)
            if self._redrawn is None:
                self._redrawn = Redrawn(
                    get_renderable=self._render, console=self._console, refresh_per_second=8, transient=True
                )
                self._redrawn.start()

    def _pop(self, running: _Running, mark: Text, how: str) -> None:
        with self._lock:
            self._stack.remove(running)
            if not self._stack and self._redrawn is not None:
                self._redrawn.stop()
                self._redrawn = None
            seconds = time.monotonic() - running.began
            self._console.print(mark, f"{running.name:<10}", _after(f"{how}{seconds:.1f} s", running.text))
            for text, hosts in _by_text(running.hosts).items():
                self._console.print(Text(printable(f"    {', '.join(hosts)}: {text}"), style="dim"))

    def _render(self) -> Table:
        """Called under rich's own lock, which `_pop` waits for under ours: so it takes none, and copies."""
        table = Table.grid(padding=(0, 1))
        for running in self._stack.copy():
            seconds = time.monotonic() - running.began
            table.add_row(
                self._spinner, Text(f"{running.name:<10}"), _after(f"{seconds:.1f} s", running.text)
            )
            for host, text in running.hosts.copy().items():
                table.add_row(
                    "", Text(printable(f"  {host}"), style="dim"), Text(printable(text), style="dim")
                )
        return table


def _after(seconds: str, text: str) -> Text:
    """`text` after its time. What a phase is called is not read as markup: it may come from elsewhere."""
    return Text.assemble((seconds, "dim"), f" {printable(text)}")


def _by_text(hosts: dict[str, str]) -> dict[str, list[str]]:
    """Hosts by their last text, so that those with the same text share a line."""
    lines: dict[str, list[str]] = {}
    for host, text in hosts.items():
        lines.setdefault(text, []).append(host)
    return lines
