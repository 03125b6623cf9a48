"""The web host's HAProxy, controlled through its runtime socket and the slot map.

Map keys: `active` and `idle` (blue, green or none), `ready-blue` and `ready-green` (the ready path of the
release in that slot). The file is what HAProxy reads when it starts; the socket changes it while it runs.
"""

from __future__ import annotations

import re
import socket

from . import durable
from .errors import AgentError
from .host import Paths
from .state import PLAIN_PATH, SLOTS, State

UNRELEASED = "unreleased"
"""In the map while nothing was ever released to a stack on AWS: HAProxy then answers the readiness check."""
STREAM_SECONDS = 300
"""HAProxy's `timeout server`: the longest silence of a stream, such as server-sent events."""
_TIMEOUT = 10.0
"""In seconds. HAProxy answers within milliseconds, on a host without a free processor within seconds."""


def ask(paths: Paths, command: str) -> str:
    """The answer to one line of commands. Raises `haproxy` if there is none."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_TIMEOUT)
            connection.connect(paths.haproxy)
            connection.sendall(f"{command}\n".encode())
            chunks: list[bytes] = []
            while chunk := connection.recv(65536):
                chunks.append(chunk)
    except OSError as error:
        why = error.strerror or str(error)  # a timeout has no strerror
        raise AgentError("haproxy", f"HAProxy does not answer on {paths.haproxy}: {why}") from None
    return b"".join(chunks).decode()


def wanted(state: State) -> dict[str, str]:
    """The map that follows from `state`."""
    entries = {"active": state.active or "none", "idle": state.idle}
    for name in SLOTS:
        web = state.slots[name].web
        entries[f"ready-{name}"] = web.ready if web else "/ready"
    if state.unreleased and state.active is None:
        entries[UNRELEASED] = "yes"
    return entries


def runtime_map(paths: Paths) -> dict[str, str]:
    """The map in HAProxy's memory."""
    lines = (line.split(None, 2) for line in ask(paths, f"show map {paths.map}").splitlines())
    return {words[1]: words[2] for words in lines if len(words) == 3}


def apply(paths: Paths, state: State) -> bool:
    """Update the runtime map, then the file, to what follows from `state`; False if neither changed.

    The runtime map comes first: the file only counts when HAProxy starts, and `restore` writes it then.
    """
    entries = wanted(state)
    for key, value in entries.items():
        if key.startswith("ready-") and not re.fullmatch(PLAIN_PATH, value):
            # `;` would begin another command.
            raise AgentError("haproxy", f"{key} of the slot map is not a plain path: {value!r}")
    now = runtime_map(paths)
    commands = [
        f"{'set' if key in now else 'add'} map {paths.map} {key} {value}"
        for key, value in entries.items()
        if now.get(key) != value
    ]
    if UNRELEASED in now and UNRELEASED not in entries:
        commands.append(f"del map {paths.map} {UNRELEASED}")
    if commands:
        answer = ask(paths, ";".join(commands)).strip()
        if answer:
            raise AgentError("haproxy", f"HAProxy refused the map of slots: {answer.splitlines()[0]}")
    return write_map(paths, entries) or bool(commands)


def write_map(paths: Paths, entries: dict[str, str]) -> bool:
    """Write `entries` to the file; False if unchanged. Not flushed: after a power cut `restore` writes it."""
    content = "".join(f"{key} {value}\n" for key, value in entries.items()).encode()
    if durable.read(paths.map) == content:
        return False
    durable.write(paths.map, content, 0o644, sync=False)
    return True


def stat(paths: Paths) -> list[dict[str, str]]:
    """`show stat`: for each row a dictionary of HAProxy's CSV columns."""
    lines = ask(paths, "show stat").lstrip("# ").splitlines()
    names = lines[0].split(",") if lines else []
    return [dict(zip(names, line.split(","), strict=False)) for line in lines[1:] if line]


def servers(rows: list[dict[str, str]], slot: str) -> list[dict[str, str]]:
    """The server rows of a slot's backend."""
    return [row for row in rows if row["pxname"] == f"slot_{slot}" and row["type"] == "2"]


def is_up(rows: list[dict[str, str]], slot: str) -> bool:
    """Whether a server of the slot passes its health check, or has none."""
    return any(row["status"].startswith("UP") or row["status"] == "no check" for row in servers(rows, slot))


def sessions(rows: list[dict[str, str]]) -> dict[str, int]:
    """Open requests and WebSockets of each slot."""
    return {
        name: sum(int(row["scur"] or 0) for row in backends(rows, name))
        for name in SLOTS
        if backends(rows, name)
    }


def backends(rows: list[dict[str, str]], slot: str) -> list[dict[str, str]]:
    """The rows of a slot's backends.

    `slot_…`, `body_…` for bodies of unknown length, and `last_…` for while no check of it passes.
    """
    names = {f"{kind}_{slot}" for kind in ("slot", "body", "last")}
    return [row for row in rows if row["type"] == "1" and row["pxname"] in names]


def mark_up(paths: Paths, slot: str, count: int) -> None:
    """Mark the first `count` servers of `slot` as up, without waiting for HAProxy's next check."""
    names = [row["svname"] for row in servers(stat(paths), slot)][:count]
    if names:
        ask(paths, ";".join(f"set server slot_{slot}/{name} health up" for name in names))


def mark_down(paths: Paths, slot: str) -> None:
    """Mark all servers of `slot` as down."""
    names = [row["svname"] for row in servers(stat(paths), slot)]
    if names:
        ask(paths, ";".join(f"set server slot_{slot}/{name} health down" for name in names))
