"""A command of slipway that runs while a fault strikes, and the lines by which it says where it is."""

import re
import signal
import threading
import time
from pathlib import Path
from typing import IO

from tests.fleet.command import Ran, start


class Running:
    """The command's output is read all the time, so that it never waits for a reader."""

    def __init__(self, root: Path, *args: str, env: dict[str, str] | None = None) -> None:
        self.process = start(root, *args, env=env)
        self._out, self._err = list[str](), list[str]()
        self._news = threading.Condition()
        self._readers = [
            threading.Thread(target=self._read, args=(stream, lines), daemon=True)
            for stream, lines in ((self.process.stdout, self._out), (self.process.stderr, self._err))
        ]
        for reader in self._readers:
            reader.start()

    def wait_for(self, pattern: str, seconds: float = 120) -> None:
        """Until a progress line matches, from its phase on; AssertionError if the command ends before."""
        wanted, ends, read = re.compile(pattern), time.monotonic() + seconds, 0
        with self._news:
            while True:
                lines = [line.split("] ", 1)[-1] for line in self._err[read:]]
                if any(wanted.match(line) for line in lines):
                    return
                read += len(lines)
                is_over = not self._readers[1].is_alive() or time.monotonic() > ends
                assert not is_over, f"the command never came to {pattern!r}:\n{''.join(self._err)}"
                self._news.wait(0.5)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the command alone; programs that it has started get none."""
        self.process.send_signal(number)

    def wait(self, seconds: float = 240) -> Ran:
        """Until it ends."""
        code = self.process.wait(seconds)
        for reader in self._readers:
            reader.join(5)
        return Ran(code, "".join(self._out), "".join(self._err))

    def kill(self) -> bool:
        """Kill it if it still runs; True if it did."""
        if self.process.poll() is not None:
            return False
        self.process.kill()
        self.process.wait()
        return True

    def _read(self, stream: IO[str] | None, lines: list[str]) -> None:
        for line in stream or ():
            with self._news:
                lines.append(line)
                self._news.notify_all()
