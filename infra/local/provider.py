"""The provider: makes, compares, reads and removes a fleet.

Pulumi stores this class in the state by its name only (it has no fields, and nothing of it is secret), and
runs it in a process of its own.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn

from pulumi.dynamic import CreateResult, DiffResult, ReadResult, ResourceProvider, UpdateResult

from slipway.settings.stack_file import OUTPUTS_FILE, STATE_FOLDER

MADE_FROM = ("root", "stack", "settings")
RUNNING = "running"
FLEET_LABEL = "slipway.fleet"
"""Label of a fleet's containers, with the fleet's id (slipway/platforms/local/containers.py)."""
HOST_LABEL = "slipway.host"
_HOST_AND_STATE = f'{{{{.Label "{HOST_LABEL}"}}}} {{{{.State}}}}'

Properties = dict[str, Any]


class FleetProvider(ResourceProvider):
    """`slipway up`, `status` and `down` as the engine asks for them. Imports late: a diff needs little."""

    serialize_as_secret_always = False

    def create(self, props: Properties) -> CreateResult:
        """Bring the fleet up; one that `slipway up` made is taken over."""
        from slipway.settings.project import open_project  # noqa: PLC0415

        made = self._bring_up(props)
        return CreateResult(open_project(props["stack"], Path(props["root"])).fleet_id, made)

    def diff(self, _id: str, _olds: Properties, _news: Properties) -> DiffResult:
        """A change of what it is made from, or a host that does not run. Never a replacement."""
        changed = any(_olds.get(key) != _news.get(key) for key in MADE_FROM)
        return DiffResult(changes=changed or asleep(_olds.get("states") or {}), replaces=[])

    def update(self, _id: str, _olds: Properties, _news: Properties) -> UpdateResult:
        """Bring the fleet in line; data stays."""
        return UpdateResult(self._bring_up(_news))

    def read(self, id_: str, props: Properties) -> ReadResult:
        """What is there now. A fleet of which no container is left is gone."""
        found = read_fleet(props["root"], props["stack"])
        if found is None:
            return ReadResult("", {})
        return ReadResult(id_, {**props, **found})

    def delete(self, _id: str, _props: Properties) -> None:
        """Remove hosts, network, data, certificates and secrets."""
        take_down(_props["root"], _props["stack"])

    def _bring_up(self, props: Properties) -> Properties:
        bring_up(props["root"], props["stack"])
        return {**{key: props[key] for key in MADE_FROM}, **(read_fleet(props["root"], props["stack"]) or {})}


def asleep(states: dict[str, str]) -> bool:
    """Does any host not run?"""
    return any(state != RUNNING for state in states.values())


# Runs slipway for the provider, in a process of its own.
#
# Setting hosts up wants a main thread and no other event loop; the provider's calls come in gRPC's threads.


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


# A fleet as it is at this moment.


UNKNOWN = "unknown"
"""State of a host of which Docker cannot tell, because it does not run: the next update starts it."""


def read_fleet(root: str, stack: str) -> dict[str, Any] | None:
    """`outputs` and `states` of the fleet; None if nothing of it is left."""
    from slipway.settings.project import open_project  # noqa: PLC0415

    project = open_project(stack, Path(root))
    try:
        outputs: dict[str, Any] = json.loads((project.state_dir / OUTPUTS_FILE).read_bytes())
    except FileNotFoundError:
        outputs = {}
    states = host_states(_containers(project.fleet_id), [host["name"] for host in outputs.get("hosts", [])])
    gone = not outputs or all(state == "missing" for state in states.values())
    return None if gone else {"outputs": outputs, "states": states}


def host_states(containers: Iterable[str] | None, known: Iterable[str]) -> dict[str, str]:
    """By host, the state of its container. `containers`: lines "host state"; None: Docker does not answer."""
    if containers is None:
        return dict.fromkeys(known, UNKNOWN)
    found = dict(line.split() for line in containers)
    return {**dict.fromkeys(known, "missing"), **found}


def _containers(fleet: str) -> list[str] | None:
    listing = ["ps", "--all", "--filter", f"label={FLEET_LABEL}={fleet}", "--format", _HOST_AND_STATE]
    try:
        done = subprocess.run(["docker", *listing], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return None if done.returncode else done.stdout.splitlines()
