"""The dynamic provider of the local fleet: create, diff, read, update, delete, each a run of slipway.

Pulumi stores this class in the state by its name only (it has no fields, and nothing in it is secret) and
runs it in a process of its own. Its methods are called in gRPC's threads, and setting hosts up needs a main
thread without another event loop: that is why they start a process.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

from pulumi.dynamic import CreateResult, DiffResult, ReadResult, ResourceProvider, UpdateResult

from slipway.settings import STATE_FOLDER

MADE_FROM = ("root", "stack", "settings")
RUNNING = "running"
UNKNOWN = "unknown"
"""State of a host while Docker does not run and cannot report it: the next update starts the host."""
STATUS = "slipway.platforms.local.status"
"""`python -m` of this prints a fleet's outputs and its containers' states as JSON."""

Properties = dict[str, Any]


class FleetProvider(ResourceProvider):
    """What the engine calls for a fleet. Never a replacement: data stays."""

    serialize_as_secret_always = False

    def create(self, props: Properties) -> CreateResult:
        """Bring the fleet up, or take over one that `slipway up` made."""
        from slipway.settings import open_project  # noqa: PLC0415 - a diff does not need it

        made = self._bring_up(props)
        return CreateResult(open_project(props["stack"], Path(props["root"])).fleet_id, made)

    def diff(self, _id: str, _olds: Properties, _news: Properties) -> DiffResult:
        """Different settings, or a host that does not run."""
        changed = any(_olds.get(key) != _news.get(key) for key in MADE_FROM)
        return DiffResult(changes=changed or has_stopped_hosts(_olds.get("states") or {}), replaces=[])

    def update(self, _id: str, _olds: Properties, _news: Properties) -> UpdateResult:
        """Bring the fleet in line with its settings."""
        return UpdateResult(self._bring_up(_news))

    def read(self, id_: str, props: Properties) -> ReadResult:
        """The fleet as it is now; a fleet without containers is gone."""
        found = read_fleet(props["root"], props["stack"])
        return ReadResult("", {}) if found is None else ReadResult(id_, {**props, **found})

    def delete(self, _id: str, _props: Properties) -> None:
        """Remove hosts, network, data, certificates and secrets."""
        take_down(_props["root"], _props["stack"])

    def _bring_up(self, props: Properties) -> Properties:
        bring_up(props["root"], props["stack"])
        return {**{key: props[key] for key in MADE_FROM}, **(read_fleet(props["root"], props["stack"]) or {})}


def has_stopped_hosts(states: dict[str, str]) -> bool:
    """Does any host not run?"""
    return any(state != RUNNING for state in states.values())


def bring_up(root: str, stack: str) -> None:
    """Run `slipway up`."""
    _run(root, "slipway", "up", "--stack", stack, "--json")


def take_down(root: str, stack: str) -> None:
    """Run `slipway down --volumes`, and delete what the operator's side keeps for the stack."""
    _run(root, "slipway", "down", "--stack", stack, "--volumes", "--json")
    kept = Path(root) / STATE_FOLDER
    shutil.rmtree(kept / stack, ignore_errors=True)
    if kept.is_dir() and not any(kept.iterdir()):
        kept.rmdir()


def read_fleet(root: str, stack: str) -> dict[str, Any] | None:
    """`outputs` and `states` of the fleet; None if nothing of it is left."""
    return fleet_of(json.loads(_run(root, STATUS, stack)))


def fleet_of(status: dict[str, Any]) -> dict[str, Any] | None:
    """The same from the document that `STATUS` prints. Pure."""
    outputs: dict[str, Any] = status["outputs"] or {}
    states: dict[str, str] = status["states"]
    if status["problem"]:
        states = dict.fromkeys((host["name"] for host in outputs.get("hosts", [])), UNKNOWN)
    gone = not outputs or all(state == "missing" for state in states.values())
    return None if gone else {"outputs": outputs, "states": states}


def _run(root: str, module: str, *arguments: str) -> str:
    """Run a module; returns its standard output. Its progress goes to the engine's log line by line.

    Raises RuntimeError with the message, details and remedy of a command that failed.
    """
    with subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=root, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as running:  # fmt: skip
        if running.stdout is None or running.stderr is None:
            raise RuntimeError("no pipes")
        for line in running.stderr:  # the document on standard output fits into the pipe's buffer
            print(line.rstrip(), flush=True)  # the engine reads it
        document = running.stdout.read()
    if running.returncode:
        _fail(f"{module} {arguments[0]}", document, running.returncode)
    return document


def _fail(command: str, document: str, code: int) -> NoReturn:
    try:
        error = json.loads(document)["error"]
        reason = "\n".join(part for part in (error["message"], *error["details"], error["remedy"]) if part)
    except (ValueError, KeyError, TypeError):
        reason = f"`{command}` ended with exit code {code}"
    # The engine shows a provider's exception as a traceback; a person needs its last line only.
    sys.tracebacklimit = 0
    raise RuntimeError(reason) from None
