"""A host that was taken over and answers without end: what it costs the operator's machine.

`test_exploit…` found, before answers were bounded, that 300 MB from a host took 585 MB of memory.
"""

from __future__ import annotations

import resource
import sys

import pytest

from slipway.fleet.process import LAST_BYTES, MOST_BYTES, Exchange, TooMuch

ENDLESS = [sys.executable, "-c", "import os\nwhile True: os.write({fd}, b'{text}' * 4096)"]


def flood(fd: int, text: str) -> list[str]:
    return [*ENDLESS[:2], ENDLESS[2].format(fd=fd, text=text)]


@pytest.mark.parametrize("text", ["x", "a line\\n"])
def test_exploit_an_endless_answer_is_ended(text: str):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(TooMuch):
        Exchange(flood(1, text)).run(timeout=300)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert grown < 4 * MOST_BYTES


def test_of_lines_that_are_passed_on_only_the_last_are_kept():
    """Following logs takes no more memory after a day than after a minute."""
    seen = 0

    def count(line: str) -> None:
        nonlocal seen
        seen += len(line) + 1

    script = "import sys\nfor n in range(300_000): print('a line of a log, number', n)"
    done = Exchange([sys.executable, "-c", script]).run(timeout=300, on_stdout=count)
    assert done.stdout.endswith("number 299999\n")
    assert len(done.stdout) <= 2 * LAST_BYTES + (1 << 17)
    assert seen > 3 * LAST_BYTES


def test_a_line_without_an_end_is_passed_on_in_parts():
    parts: list[int] = []
    script = f"import sys; sys.stdout.write('x' * {5 * LAST_BYTES})"
    Exchange([sys.executable, "-c", script]).run(timeout=300, on_stdout=lambda line: parts.append(len(line)))
    assert sum(parts) == 5 * LAST_BYTES
    assert len(parts) >= 4


def test_standard_error_is_kept_at_its_end_only():
    script = f"import sys; sys.stderr.write('x' * {6 * LAST_BYTES} + 'the reason')"
    done = Exchange([sys.executable, "-c", script]).run(timeout=300)
    assert done.stderr.endswith("the reason")
    assert len(done.stderr) <= 2 * LAST_BYTES + (1 << 17)
