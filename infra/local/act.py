"""Runs slipway for the provider, in a process of its own.

Setting hosts up wants a main thread and no other event loop; the provider's calls come in gRPC's threads.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

from slipway.settings.stack_file import STATE_FOLDER


def bring_up(root: str, stack: str) -> None:
    """`slipway up`."""
    _slipway(root, "up", "--stack", stack)


def take_down(root: str, stack: str) -> None:
    """`slipway down --volumes`, and what the operator's side keeps of the stack with it."""
    _slipway(root, "down", "--stack", stack, "--volumes")
    kept = Path(root) / STATE_FOLDER
    shutil.rmtree(kept / stack, ignore_errors=True)
    if kept.is_dir() and not any(kept.iterdir()):
        kept.rmdir()


def _slipway(root: str, *arguments: str) -> None:
    """Run a command; its progress goes to the engine's log line by line, its failure to the engine."""
    command = [sys.executable, "-m", "slipway", *arguments, "--json"]
    with subprocess.Popen(
        command, cwd=root, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        if running.stdout is None or running.stderr is None:
            raise RuntimeError("no pipes")
        for line in running.stderr:  # the document on standard output is shorter than a pipe
            print(line.rstrip(), flush=True)  # the engine reads it
        document = running.stdout.read()
    if running.returncode:
        _fail(arguments[0], document, running.returncode)


def _fail(command: str, document: str, code: int) -> NoReturn:
    try:
        error = json.loads(document)["error"]
        reason = "\n".join(part for part in (error["message"], *error["details"], error["remedy"]) if part)
    except (ValueError, KeyError, TypeError):
        reason = f"`slipway {command}` ended with exit code {code}"
    # What a provider raises is shown as a traceback; a person needs its last line only.
    sys.tracebacklimit = 0
    raise RuntimeError(reason) from None
