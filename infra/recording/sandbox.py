"""What the recording process does before the program runs: refuse connections, and import less of the SDK."""

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
"""What was refused. The recording fails even if the program catches the error."""


def go_offline() -> None:
    """Refuse every connection and subprocess from now on; irreversible (`sys.addaudithook`)."""
    sys.addaudithook(_refuse)


def _refuse(event: str, args: tuple[Any, ...]) -> None:
    if event in _REFUSED:
        what = " ".join(str(each) for each in args[-1:]) if event != "subprocess.Popen" else str(args[1])
        attempts.append(f"{event} {what}")
        raise ProgramFailed(
            f"the program body used the network or started a process: {event} {what}",
            remedy="take what it needs from the stack's settings: the program body makes no network call",
        )


_PACKAGE = "pulumi_cloudflare"
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def install() -> None:
    """Import only the modules of `pulumi_cloudflare` that a program uses.

    The package's `__init__` imports all 500 of its modules, which takes longer than recording a stack.
    Pulumi itself runs the program with the unchanged package. Does nothing if the package is already
    imported, or absent.
    """
    spec = None if _PACKAGE in sys.modules else importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.submodule_search_locations is None:
        return
    lean = _Lean(_PACKAGE)
    lean.__path__ = list(spec.submodule_search_locations)
    lean.__file__ = spec.origin
    lean.__spec__ = spec
    sys.modules[_PACKAGE] = lean


class _Lean(ModuleType):
    """The package, whose names are imported at first use."""

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
