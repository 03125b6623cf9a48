"""Run: a one-off command with a release's environment, in the same sandbox as its processes.

The environment goes through a 0600 file that is removed afterwards; output is passed on line by line.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from . import accounts, durable, envfile, image, units
from .errors import AgentError, Interrupted
from .host import Host, Paths
from .json_object import JsonObject
from .state import Slot, State, order_of, refuse_outranked

SCOPES = ("migrate", "task", "cron")
"""What a one-off may run as, besides a process of the release."""
_TAIL = 50


def command(paths: Paths, host: Host, request: JsonObject) -> dict[str, object]:
    """See docs/agent.md, `run`. Takes no lock, because it may run for hours while releases go on."""
    state = State.load(paths)
    if request.has("fence"):
        refuse_outranked(state, order_of(request))
    slot = _slot(host, state, request)
    scope, argv = request.text("scope"), request.texts("argv")
    migrate = JsonObject(slot.migrate, "migrate")
    if not argv and scope == "migrate" and migrate.has("command"):
        argv = command_words(paths, slot, migrate.text("command"))
        directory, timeout = migrate.text("directory", "."), migrate.number("timeout_seconds", 600)
    else:
        directory, timeout = ".", 3600.0
    if not argv:
        raise AgentError("bad_request", "run.argv: name a command")
    directory, timeout = request.text("directory", directory), request.number("timeout", timeout)
    return one_off(
        paths, host, slot, scope=scope, argv=argv, extra=request.strings("env"), timeout=timeout,
        directory=directory,
    )  # fmt: skip


def one_off(
    paths: Paths, host: Host, slot: Slot, *, scope: str, argv: list[str], extra: dict[str, str],
    timeout: float, directory: str = ".",
) -> dict[str, object]:  # fmt: skip
    """Run `argv` in the build of `slot` and wait. Raises `timeout` after `timeout` seconds."""
    root = os.path.realpath(paths.slot(slot.name))
    if not os.path.isdir(root):
        raise AgentError("not_staged", f"release {slot.release} has no files on {host.name}")
    if scope not in (*slot.processes, *SCOPES):
        raise AgentError("bad_request", f"run.scope: {host.name} runs no process and no scope {scope!r}")
    accounts.ensure([scope])
    settings = [*accounts.settings(slot.name, scope), f"Environment=HOME={accounts.home(slot.name, scope)}"]
    name = f"slipway-run-{os.getpid()}-{time.time_ns() // 1_000_000}"
    env_file = f"{paths.run}/{name}.env"
    os.makedirs(paths.run, mode=0o755, exist_ok=True)
    runs = image.of(paths, slot)
    values = {**(runs.env if runs else {}), **envfile.read(paths, slot.name, scope), **extra}
    durable.write(env_file, envfile.render(values), 0o600, sync=False)
    begun = time.monotonic()
    try:
        code, tail = _follow(
            _argv(name, [*settings, f"EnvironmentFile={env_file}"], root, directory, timeout, argv, runs),
            envfile.secrets(paths, slot),
        )
    except Interrupted:
        subprocess.run(["systemctl", "stop", f"{name}.service"], check=False, capture_output=True)
        raise
    finally:
        durable.unlink(env_file)
    seconds = time.monotonic() - begun
    if code != 0 and seconds >= timeout:
        raise AgentError("timeout", f"{argv[-1]!r} took longer than {timeout:g} s", log=tail)
    return {"exit": code, "seconds": round(seconds, 3), "tail": tail}


def command_words(paths: Paths, slot: Slot, command: str) -> list[str]:
    """A command of slipway.toml as words: for sh, or as it is in a build that is an image."""
    runs = image.of(paths, slot)
    return runs.words(command) if runs else ["/bin/sh", "-c", command]


def _slot(host: Host, state: State, request: JsonObject) -> Slot:
    if request.has("release"):
        slot = state.holding(request.whole("release"))
    elif request.has("slot"):
        slot = state.slots.get(request.text("slot"))
    else:
        slot = state.live
    if slot is None or slot.state == "empty":
        wanted = f"release {request.raw['release']}" if request.has("release") else "a release"
        raise AgentError("not_staged", f"{host.name} does not hold {wanted}")
    return slot


def _argv(
    name: str, settings: list[str], root: str, directory: str, timeout: float, argv: list[str],
    runs: image.Image | None,
) -> list[str]:  # fmt: skip
    """systemd-run's command line. `$` is doubled: systemd would expand it."""
    if runs:
        words = [runs.found(argv[0]), *argv[1:]]
        settings = [*settings, *runs.settings(), f"WorkingDirectory={units.inside(runs, directory)}"]
    else:
        words = ["/usr/bin/env", *argv]
        settings = [*settings, f"WorkingDirectory={units.folder(root, directory)}"]
        settings.append(f"Environment=PATH={units.search_path(root)}")
    settings = [
        *settings,
        f"RuntimeMaxSec={timeout:g}",
        "TimeoutStopSec=10",
        "KillMode=mixed",
        *units.properties(units.IMAGE_SANDBOX if runs else units.SANDBOX),
    ]
    return [
        "systemd-run",
        "--quiet",
        "--pipe",
        "--wait",
        "--collect",
        f"--unit={name}",
        *(f"--property={setting}" for setting in settings),
        "--",
        *(word.replace("$", "$$") for word in words),
    ]


def _follow(argv: list[str], hidden: list[str]) -> tuple[int, list[str]]:
    """Pass output on to stderr; a closed pipe does not stop the command."""
    process = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    tail: list[str] = []
    listening = True
    try:
        for raw in process.stdout or ():
            line = envfile.redact(raw.decode(errors="replace").rstrip("\n"), hidden)
            tail = [*tail[1 - _TAIL :], line]
            if listening:
                try:
                    print(line, file=sys.stderr, flush=True)
                except BrokenPipeError:
                    listening = False
        # Once more as a whole: a value may be split over lines.
        return process.wait(), envfile.redact("\n".join(tail), hidden).splitlines()
    except BaseException:
        process.send_signal(signal.SIGTERM)
        raise
