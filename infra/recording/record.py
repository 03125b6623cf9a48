"""Records a stack in a separate process without credentials or network, which leaves nothing behind."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from infra.recording.answers import Answer
from infra.recording.graph import Graph
from slipway.settings import BadInput, LeaseHeld, NeedsPerson, ReleaseFailed, SlipwayError


class ProgramFailed(SlipwayError):
    """The Pulumi program failed, or did something forbidden: a look-up, a connection, a duplicate name."""

    exit_code = 1


_KEPT = ("PATH", "LANG", "LC_ALL", "TZ", "PYTHONPATH", "VIRTUAL_ENV")
"""Environment variables that are kept: no credentials, and not PYTHONDONTWRITEBYTECODE, because compiling the
SDK every time takes 5 s."""
_KINDS: dict[str, type[SlipwayError]] = {
    each.__name__: each for each in (BadInput, LeaseHeld, NeedsPerson, ReleaseFailed, ProgramFailed)
}


def record(
    root: Path,
    stack: str,
    *,
    answer: Answer | None = None,
    environment: Mapping[str, str] | None = None,
    timeout: float = 300,
) -> Graph:
    """The graph of stack `stack` of the project at `root` (the folder of Pulumi.yaml).

    `answer` must be importable (a function of a module, not a lambda): the recording process calls it.
    Raises slipway's errors as the program raises them (BadInput for an unknown stack, …), and ProgramFailed
    for anything else, including a connection or a look-up.
    """
    # -P: a folder infra/ beside the caller is the project's.
    command = [sys.executable, "-P", "-m", "infra.recording", str(root), stack]
    if answer is not None:
        command += ["--answer", _place(answer)]
    with tempfile.TemporaryDirectory(prefix="slipway-record-") as home:
        given = {key: os.environ[key] for key in _KEPT if key in os.environ}
        done = subprocess.run(
            command,
            env={**given, **_bytecode(), "HOME": home, **(environment or {})},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    try:
        said: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        raise ProgramFailed(
            f"recording stack {stack} ended with exit code {done.returncode}",
            details=done.stderr.strip().splitlines()[-20:],
        ) from None
    if "error" in said:
        wrong = said["error"]
        kind = next((_KINDS[name] for name in wrong["kinds"] if name in _KINDS), ProgramFailed)
        raise _error(kind, wrong)
    return Graph.from_json(said)


def _bytecode() -> dict[str, str]:
    """Where compiled modules are stored, if not beside their sources."""
    if "PYTHONDONTWRITEBYTECODE" not in os.environ:
        return {}
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return {
        "PYTHONPYCACHEPREFIX": os.environ.get("PYTHONPYCACHEPREFIX") or str(cache / "slipway" / "bytecode")
    }


def _error(kind: type[SlipwayError], wrong: dict[str, Any]) -> SlipwayError:
    return kind(wrong["message"], remedy=wrong["remedy"], details=wrong["details"])


def _place(function: Callable[..., Any]) -> str:
    name = getattr(function, "__qualname__", "")
    if not name.isidentifier():
        raise ValueError("answer must be a function of a module, so that another process can import it")
    return f"{function.__module__}:{name}"
