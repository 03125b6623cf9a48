"""systemd's EnvironmentFile, written so that every value arrives unchanged, and read back.

Inside double quotes systemd keeps everything, newlines too, and removes a backslash only before `"`,
backslash, backtick and `$` (SHELL_NEED_ESCAPE in systemd's env-file.c; nothing is expanded). Values must be
UTF-8 without NUL; systemd would drop others silently, so they are refused here.
"""

from __future__ import annotations

import os
import re
import shutil
from functools import lru_cache

from . import credentials, durable
from .errors import AgentError
from .host import Host, Paths
from .json_object import NO_TEXT, JsonObject
from .redact import Redactor, spellings
from .state import Slot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

RESERVED = ("PORT", "HOST", "READY_FILE", "PATH", "HOME")
"""Set in the unit of each instance; the app's env contract cannot set them."""
_ESCAPED = {'"': '\\"', "\\": "\\\\", "`": "\\`", "$": "\\$"}
_LONGEST = 131_072 - 1
"""Linux's MAX_ARG_STRLEN: a longer NAME=value makes execve fail."""


def render(values: dict[str, str]) -> bytes:
    """The file's content. `bad_env` names the variable, never its value."""
    lines = [f'{name}="{_quoted(name, value)}"\n' for name, value in sorted(values.items())]
    return "".join(lines).encode()


def parse(content: bytes) -> dict[str, str]:
    """The values that systemd reads from a file that `render` wrote."""
    text = content.decode()
    values: dict[str, str] = {}
    at = 0
    while at < len(text):
        name, _, _ = text[at:].partition('="')
        at += len(name) + 2
        value: list[str] = []
        while text[at] != '"':
            if text[at] == "\\" and text[at + 1] in _ESCAPED:
                at += 1
            value.append(text[at])
            at += 1
        values[name] = "".join(value)
        at += 2
    return values


def read(paths: Paths, slot: str, scope: str) -> dict[str, str]:
    """The env of a process or scope of `slot`; empty if it has none."""
    return parse(durable.read(paths.env_file(slot, scope)) or b"")


def write_slot(paths: Paths, host: Host, slot: Slot, env: JsonObject) -> None:
    """Replace the env files of `slot` by those of the request: one for each scope, 0600, in a 0700 folder."""
    remove_slot(paths, slot.name)
    os.makedirs(f"{paths.env}/{slot.name}", mode=0o700, exist_ok=True)
    os.chmod(paths.env, 0o700)
    provided = {
        "SLIPWAY_RELEASE": str(slot.release),
        "SLIPWAY_BUILD": slot.build,
        "SLIPWAY_HOST": host.name,
        "SLIPWAY_SLOT": slot.name,
    }
    for scope in {*env.raw, *slot.processes}:
        if not re.fullmatch(r"[a-z][a-z0-9-]*", scope):
            raise AgentError("bad_request", f"env: {scope!r} is not the name of a process or scope")
        values = {name: value for name, value in env.strings(scope).items() if name not in RESERVED}
        own = credentials.environment(paths, host) if scope != "migrate" else {}
        content = render({**values, **provided, **own})
        durable.write(paths.env_file(slot.name, scope), content, 0o600, sync=False)
    durable.sync_folder(f"{paths.env}/{slot.name}")


def remove_slot(paths: Paths, slot: str) -> None:
    """Remove the secrets of `slot` from the disk."""
    shutil.rmtree(f"{paths.env}/{slot}", ignore_errors=True)


def secrets(paths: Paths, slot: Slot) -> list[str]:
    """Texts that no answer may contain: the values of `secret_names` in any scope, in every spelling."""
    try:
        scopes = [name.removesuffix(".env") for name in os.listdir(f"{paths.env}/{slot.name}")]
    except FileNotFoundError:
        return []
    wanted = {*slot.secret_names, credentials.TOKEN}
    found = {
        value for scope in scopes for name, value in read(paths, slot.name, scope).items() if name in wanted
    }
    return disguises(found)


def likely_secrets(env: JsonObject) -> list[str]:
    """Names to redact if the request names no secrets: those with values of 12 characters and more."""
    return sorted(
        {name for scope in env.raw for name, value in env.strings(scope).items() if len(value) >= 12}
    )


def disguises(values: Iterable[str]) -> list[str]:
    """The values in every spelling (redact.py), longest first, without values under 6 characters."""
    forms = {form for value in values for form in spellings(value)}
    return sorted(forms, key=len, reverse=True)


def redact(text: str, values: list[str]) -> str:
    """`text` without the secret values. Pass all lines at once: a value may be split over several."""
    return _redactor(tuple(values)).text(text)


@lru_cache(maxsize=4)
def _redactor(values: tuple[str, ...]) -> Redactor:
    return Redactor(dict.fromkeys(values, "[redacted]"))


def _quoted(name: str, value: str) -> str:
    if not (name.isascii() and name.replace("_", "A").isalnum() and not name[0].isdigit()):
        raise AgentError("bad_env", f"{name!r} is not the name of an environment variable")
    if "\0" in value:
        raise AgentError("bad_env", f"{name} holds a NUL character, which no environment can carry")
    if found := NO_TEXT.search(value):
        raise AgentError("bad_env", f"{name} is not valid Unicode: it holds U+{ord(found[0]):04X}")
    if len(name) + 1 + len(value.encode()) > _LONGEST:
        raise AgentError("bad_env", f"{name} is longer than the {_LONGEST} bytes Linux allows")
    return "".join(_ESCAPED.get(character, character) for character in value)
