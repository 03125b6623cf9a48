"""`slipway-agent <command>`: JSON on stdin, JSON on stdout's last line, exit 0 or 1; progress on stderr."""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import time

from . import signature
from .errors import AgentError, Interrupted
from .host import Host, Paths
from .json_object import JsonObject

COMMANDS = {
    "status": ("status", "status"),
    "stage": ("stage", "command"),
    "boot": ("boot", "command"),
    "smoke": ("smoke", "command"),
    "switch": ("switch", "command"),
    "stop": ("retire", "stop"),
    "retire": ("retire", "command"),
    "run": ("run", "command"),
    "logs": ("status", "logs"),
    "prune": ("builds", "prune"),
    "restore": ("restore", "command"),
    "handover": ("handover", "command"),
    "cron": ("cron", "command"),
    "observe": ("observe", "command"),
    "probe": ("observe", "probe"),
    "stats": ("observe", "stats"),
    "announce": ("cron_owner", "publish_host_key"),
    "converge": ("converge", "command"),
    "measure": ("measure", "command"),
    "leave": ("leave", "command"),
    "forward": ("forward", "command"),
    "credentials": ("credentials", "command"),
    "preview": ("preview", "command"),
    "certificate": ("certificate", "command"),
}
"""Command → module and function in it, imported only for that command."""
_LOCAL = (
    *("announce", "certificate", "converge", "credentials", "cron", "forward", "handover", "leave"),
    *("measure", "restore", "retire"),
)
"""Commands that systemd starts without a request on stdin."""


BOUND = (
    *("status", "stage", "boot", "smoke", "switch", "stop", "retire", "run", "logs", "prune"),
    *("observe", "probe", "stats", "preview"),
)
"""What a key of CI may have done (templates/base/gate.sh); `run` only the migration of a staged release."""
SIGNED = ("stage", "boot", "smoke", "switch", "stop", "retire", "run", "prune")
"""What a key of CI may have done under a signed fence only. A preview's request is signed itself."""


def main() -> int:
    """Run the command of sys.argv; exit code 0 or 1."""
    arguments = sys.argv[1:]
    bound = arguments[:1] == ["--bound"]
    begun = time.perf_counter()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _interrupt)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    os.umask(0o022)
    try:
        answer: dict[str, object] = {"ok": True, **_run(arguments[bound:], bound=bound)}
    except AgentError as error:
        answer = {"ok": False, "error": error.to_json()}
    except Interrupted:
        error = AgentError(
            "interrupted", "the agent was stopped; what it had begun is undone or can be resumed"
        )
        answer = {"ok": False, "error": error.to_json()}
    except Exception as error:
        answer = {"ok": False, "error": _unexpected(error).to_json()}
    answer["agent_ms"] = round((time.perf_counter() - begun) * 1000, 1)
    _say(answer)
    return 0 if answer["ok"] else 1


def _run(arguments: list[str], *, bound: bool) -> dict[str, object]:
    if not arguments or arguments[0] not in COMMANDS:
        raise AgentError("bad_request", f"usage: slipway-agent {'|'.join(COMMANDS)} < request.json")
    if os.geteuid() != 0:
        raise AgentError("not_root", "slipway-agent must run as root")
    name = arguments[0]
    if name in _LOCAL and (len(arguments) > 1 or sys.stdin is None or sys.stdin.isatty()):
        request = JsonObject({"name": arguments[1]} if len(arguments) > 1 else {}, name)
    else:
        request = JsonObject.parse(sys.stdin.buffer.read(), name)
    paths = Paths()
    host = Host(paths)
    if bound:
        refuse_unless_of_a_release(name, request)
        if name in SIGNED or request.has("fence"):
            signature.admit_fence(paths, host, request)
    module, function = COMMANDS[name]
    command = getattr(importlib.import_module(f".{module}", __package__), function)
    return command(paths, host, request)


def refuse_unless_of_a_release(name: str, request: JsonObject) -> None:
    """A command of the caller's own would be a shell: `run` takes what the signed release brings."""
    own = [key for key in ("argv", "env", "directory") if request.raw.get(key)]
    if name not in BOUND or (name == "run" and (own or request.text("scope") != "migrate")):
        raise AgentError(
            "bound", f"this ssh key is bound to what releases need: `{name}` needs the key of a person"
        )


def _interrupt(*_: object) -> None:
    raise Interrupted


def _unexpected(error: Exception) -> AgentError:
    """The place of the failure without values: a traceback could show secrets."""
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    place = f"{os.path.basename(frames[-1].filename)}:{frames[-1].lineno}" if frames else "?"
    text = str(error) if isinstance(error, OSError) else ""
    return AgentError("internal", f"{type(error).__name__} at {place} {text}".strip())


def _say(answer: dict[str, object]) -> None:
    """Write the answer on one line; a closed pipe does not change the result."""
    try:
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
