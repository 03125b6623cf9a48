"""Running the deploy of one host with pyinfra: over ssh, from within the host, or dry against an empty one.

Each run needs a separate process, except the dry one: pyinfra keeps its state in module globals.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gevent
from paramiko import SSHException, Transport
from pyinfra import logger
from pyinfra.api.command import FileUploadCommand, PyinfraCommand
from pyinfra.api.config import Config
from pyinfra.api.connect import connect_all, disconnect_all
from pyinfra.api.deploy import add_deploy
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.host import Host as Target
from pyinfra.api.inventory import Inventory
from pyinfra.api.operations import run_ops
from pyinfra.api.state import State, StateStage
from pyinfra.context import ctx_host, ctx_state

from hosts.data.s3 import BINARY
from hosts.deploy import deploy
from hosts.plan import FleetPlan
from slipway.settings import Host

CONNECT_SECONDS = 15
CONNECTIONS = 3
"""How many ssh connections one set-up may use, one after the other."""
_LINES = 20
"""Last lines of a failed operation that are shown."""


@dataclass(frozen=True)
class Result:
    """What became of one host: the operations that changed it, or the one that failed and why."""

    changed: tuple[str, ...] = ()
    failed: str = ""
    output: tuple[str, ...] = ()
    """Last lines the failed operation wrote; not redacted yet."""
    connection_lost: bool = False
    """Whether it failed for that alone: the ssh connection had ended."""


def set_up_over_ssh(plan: FleetPlan, name: str, digest: str) -> Result:
    """Bring host `name` to what `plan` says, and leave `digest` on it once all is done.

    When the connection is lost, another goes on: what is done already changes nothing. Networks lose some, so
    does paramiko: of a command that ends at once it may confirm the end before it closes the input, for which
    sshd disconnects (github.com/paramiko/paramiko/issues/1115).
    """
    host = plan.outputs.host(name)
    own_keys = "IdentityFile" not in plan.outputs.ssh_config_path.read_text()
    data = {
        "ssh_config_file": plan.outputs.ssh_config,
        "ssh_strict_host_key_checking": "yes",
        "ssh_connect_retries": 3,
        "ssh_allow_agent": own_keys,
        "ssh_look_for_keys": own_keys,
    }
    config = Config(SUDO=host.ssh_user != "root", CONNECT_TIMEOUT=CONNECT_SECONDS)

    def attempt() -> Result:
        return _run(_state(name, data, config), lambda: deploy(plan, host, digest))

    results = [attempt()]
    while results[-1].connection_lost and len(results) < CONNECTIONS:
        results.append(attempt())
    changed = dict.fromkeys(operation for result in results for operation in result.changed)
    return replace(results[-1], changed=tuple(changed))


def set_up_here(plan: FleetPlan, host: Host, digest: str) -> Result:
    """The same from within: this machine is `host`."""
    return run_here(lambda: deploy(plan, host, digest))


def run_here(add_operations: Callable[[], object]) -> Result:
    """Run the operations that `add_operations` adds on this machine."""
    return _run(_state("@local", {}, Config()), add_operations)


def dry_run(plan: FleetPlan, host: Host) -> Iterator[tuple[str, PyinfraCommand]]:
    """(operation, command) of everything that would be done to an empty host that only has the S3 server."""
    stat = f"user=root group=root mode=-rwxr-xr-x atime=0 mtime=0 ctime=0 size=0 '{BINARY}'"
    data = {
        "fake_delay": 0,
        "fake_delay_jitter": 0,
        "fake_responses": {"uname -s": "Linux", "command -v useradd": "/usr/sbin/useradd", BINARY: stat},
    }
    state = _state("@fake", data, Config())
    (target,) = state.inventory
    connect_all(state)
    state.set_stage(StateStage.Prepare)
    add_deploy(state, lambda: deploy(plan, host, ""))
    with ctx_state.use(state), ctx_host.use(target):
        for name, found in _operations(state, target):
            for command in found.command_generator():
                yield name, command


def uploaded(command: FileUploadCommand) -> bytes:
    """The content that an upload brings."""
    if isinstance(command.src, str):
        return Path(command.src).read_bytes()
    command.src.seek(0)
    content = command.src.read()
    command.src.seek(0)
    return content.encode() if isinstance(content, str) else content


def _state(name: str, data: dict[str, Any], config: Config) -> State:
    return State(inventory=Inventory(([(name, data)], {})), config=config, check_for_changes=False)


def _run(state: State, add_operations: Callable[[], object]) -> Result:
    log = _Captured()
    logger.setLevel(logging.WARNING)
    logger.addHandler(log)
    # What a greenlet raises is raised here again.
    gevent.get_hub().exception_stream = None  # pyright: ignore[reportAttributeAccessIssue]
    (target,) = state.inventory
    try:
        connect_all(state)
    except PyinfraError:
        return Result(failed="connecting by ssh", output=log.tail())
    _send_at_once(target)
    try:
        state.set_stage(StateStage.Prepare)
        add_deploy(state, add_operations)
        run_ops(state)
    # paramiko raises EOFError where a connection ends; pyinfra expects its other errors only.
    except (PyinfraError, EOFError) as error:
        return _failure(state, target, log, error)
    finally:
        disconnect_all(state)
        logger.removeHandler(log)
    return Result(_changed(state, target))


def _send_at_once(target: Target) -> None:
    """Without TCP_NODELAY every command waits 40 ms: paramiko sends small packets, and ACKs are delayed."""
    transport = _transport(target)
    if transport and isinstance(transport.sock, socket.socket):
        transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _transport(target: Target) -> Transport | None:
    client = getattr(target.connector, "client", None)
    return client.get_transport() if client else None


def _connection_lost(target: Target) -> bool:
    """Whether the host takes no more commands. It is asked: a transport knows of its end a moment late."""
    transport = _transport(target)
    if transport is None:
        return False
    try:
        transport.open_session(timeout=CONNECT_SECONDS).close()
    except (SSHException, EOFError, OSError):
        return True
    return False


def _failure(state: State, target: Target, log: _Captured, error: Exception) -> Result:
    changed = _changed(state, target)
    if _connection_lost(target):
        return Result(changed, "the ssh connection was lost", log.tail(), connection_lost=True)
    for name, found in _operations(state, target):
        meta = found.operation_meta
        if meta.is_complete() and meta.did_error():
            lines = meta.stderr_lines or meta.stdout_lines
            return Result(changed, name, tuple(lines[-_LINES:]) or log.tail())
    return Result(changed, str(error), log.tail())


def _changed(state: State, target: Target) -> tuple[str, ...]:
    done = ((name, found.operation_meta) for name, found in _operations(state, target))
    return tuple(name for name, meta in done if meta.is_complete() and meta.did_change())


def _operations(state: State, target: Target) -> Iterator[tuple[str, Any]]:
    for op_hash in state.get_op_order():
        if op_hash in state.ops[target]:
            names = ", ".join(state.get_op_meta(op_hash).names)
            yield names, state.get_op_data_for_host(target, op_hash)


class _Captured(logging.Handler):
    """Keeps what pyinfra logs, to be shown only if it fails."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())

    def tail(self) -> tuple[str, ...]:
        return tuple(self.lines[-_LINES:])
