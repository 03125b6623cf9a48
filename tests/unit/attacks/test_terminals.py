"""What an app, a host or a server writes gives the operator's terminal no orders.

Each test found, before texts were made printable: ESC and OSC sequences that reached the terminal, and markup
in a phase's text, which coloured it or, unbalanced, broke off the command.
"""

from __future__ import annotations

import io
import re
import sys
import threading

import pytest
from hypothesis import given, strategies as st

from slipway.cli import console
from slipway.cli.entry import report
from slipway.progress import Lines, Progress
from slipway.progress.live import Live
from slipway.settings import ReleaseFailed, printable

OSC = "\x1b]0;owned\x07"
HOSTILE = [
    OSC, "\x1b]52;c;cm0gLXJm\x07", "\x1b[2J\x1b[H", "\x1b]8;;http://evil\x1b\\click", "\x9b31m",
    "\x9d0;x\x9c",
    "\b\b\b", "\rerror: none", "\x1bP+q544e\x1b\\", "\u202egnp.exe", "\u2066x", "[red]x[/]", "[/]", "[bold",
    "[link=http://evil]y[/link]",
    "\x00", "\x7f", "\u2028x",
]  # fmt: skip
texts = st.lists(st.sampled_from(HOSTILE) | st.text(max_size=5), max_size=5).map("".join)
OURS = re.compile("\x1b\\[[0-9;]*[a-zA-Z]|\x1b\\[\\?25[lh]")
"""Colours and cursor movements of rich, on a terminal of ours."""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def orders(written: str) -> list[str]:
    """Control characters in what was written, beside line ends, tabs and colours of ours."""
    plain = OURS.sub("", written)
    return re.findall("[\x00-\x08\x0b-\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", plain)


def drive(progress: Progress, text: str) -> None:
    progress.line(text)
    with pytest.raises(ReleaseFailed), progress.phase("stage", text):
        progress.host("web1", text)
        raise ReleaseFailed("no")
    with progress.phase("boot", text):
        progress.host(f"web{text}", text)


@given(texts)
def test_progress_on_a_terminal_shows_texts_as_they_are(text: str):
    out = Terminal()
    drive(Live(out), text)
    assert orders(out.getvalue()) == []


@given(texts)
def test_progress_in_a_pipe(text: str):
    out = io.StringIO()
    drive(Lines(out), text)
    assert orders(out.getvalue()) == []
    assert "\x1b" not in out.getvalue()
    assert "\r" not in out.getvalue()


@given(texts)
def test_lines_tables_and_errors(text: str):
    out, errors = Terminal(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", errors)
        console.say(text)
        console.table(("A", "B"), [(text, "x")])
        report(ReleaseFailed(text, remedy=text, details=[text]), as_json=False)
    assert orders(out.getvalue()) + orders(errors.getvalue()) == []
    assert "\x1b" not in errors.getvalue()


@pytest.mark.parametrize("sequence", HOSTILE[:9])
def test_exploit_an_apps_log_line_sets_the_terminals_title(sequence: str):
    assert orders(printable(f"log {sequence} line")) == []
    assert "log" in printable(f"log {sequence} line")


def test_a_phases_text_is_not_markup():
    out = Terminal()
    with Live(out).phase("stage", "[/] [red]build[/red]"):
        pass
    assert "[/] [red]build[/red]" in OURS.sub("", out.getvalue())


def test_an_endless_line_is_shortened():
    assert len(printable("a" * 10_000_000)) < 30_000
    assert printable("a\tb\nc") == "a\tb\nc"


def test_a_phase_ends_while_another_thread_draws_it():
    """Found when this file hung: the drawing thread waited for `_pop`, and `_pop` for the drawing thread."""
    progress = Live(Terminal())
    drawing = threading.Thread(target=progress._render, daemon=True)  # pyright: ignore[reportPrivateUsage]
    with progress.phase("boot"):
        progress.host("web1", "starting")
        with progress._lock:  # pyright: ignore[reportPrivateUsage]
            drawing.start()
            drawing.join(10)
            assert not drawing.is_alive()
