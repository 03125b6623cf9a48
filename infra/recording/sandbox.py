"""Refuses every connection of this process: a program body that needs the network fails here, loudly."""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
from types import ModuleType
from typing import Any

from infra.recording.record import ProgramFailed

_REFUSED = {
    "socket.connect",
    "socket.getaddrinfo",
    "socket.gethostbyname",
    "socket.sendto",
    "subprocess.Popen",
}

attempts: list[str] = []
"""What was refused: also if the program swallowed the error, the recording fails."""


def go_offline() -> None:
    """From now on, for the rest of this process. There is no way back (`sys.addaudithook`)."""
    sys.addaudithook(_refuse)


def _refuse(event: str, args: tuple[Any, ...]) -> None:
    if event in _REFUSED:
        what = " ".join(str(each) for each in args[-1:]) if event != "subprocess.Popen" else str(args[1])
        attempts.append(f"{event} {what}")
        raise ProgramFailed(
            f"the program body reached outside: {event} {what}",
            remedy="take what it needs from the stack's settings: the program body makes no network call",
        )


# Imports only what a program uses of `pulumi_cloudflare`.
#
# The package's `__init__` imports all of its 500 modules, which takes longer than recording a whole stack.
# Pulumi itself runs the program with the package as it is.


_PACKAGE = "pulumi_cloudflare"
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def install() -> None:
    """Does nothing if the package is imported already, or is not there."""
    spec = None if _PACKAGE in sys.modules else importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.submodule_search_locations is None:
        return
    lean = _Lean(_PACKAGE)
    lean.__path__ = list(spec.submodule_search_locations)
    lean.__file__ = spec.origin
    lean.__spec__ = spec
    sys.modules[_PACKAGE] = lean


class _Lean(ModuleType):
    """The package, each of its names imported when it is asked for."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        for module in (*_modules(name), "_inputs"):
            try:
                found = importlib.import_module(f"{_PACKAGE}.{module}")
            except ModuleNotFoundError:
                continue
            if hasattr(found, name):
                value = getattr(found, name)
                setattr(self, name, value)
                return value
        raise AttributeError(f"module {_PACKAGE} has no attribute {name}")


def _modules(name: str) -> list[str]:
    """`DnsRecord` and `DnsRecordArgs` are in `dns_record`; `_utilities` is a module itself."""
    if name == name.lower():
        return [name]
    return [_WORDS.sub("_", name.removesuffix("Args")).lower()]
