"""Setting up one host with pyinfra, in a process of its own: pyinfra keeps its state in module globals."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

import logging
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from pyinfra import logger
from pyinfra.api.config import Config
from pyinfra.api.connect import connect_all, disconnect_all
from pyinfra.api.deploy import add_deploy
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.host import Host as Target
from pyinfra.api.inventory import Inventory
from pyinfra.api.operations import run_ops
from pyinfra.api.state import State, StateStage
from pyinfra.context import host as current_host
from pyinfra.facts.deb import DebPackages
from pyinfra.operations import server

from hosts import deploy as roles
from hosts.carry_out import carry_out
from hosts.file import HostFile
from hosts.placed import place, place_all
from hosts.plan import SETUP_DIGEST, FleetPlan
from hosts.render import verbatim
from slipway.settings.outputs import Host

DIGESTS = ("/etc/slipway/setup.digest", SETUP_DIGEST)
"""The second, beside the system's own files, is what counts: the first may outlive them on a data disk."""


@dataclass(frozen=True)
class Result:
    """What became of one host: the operations that changed it, or the one that failed and why."""

    changed: tuple[str, ...] = ()
    failed: str = ""
    output: tuple[str, ...] = ()
    """Last lines the failed operation wrote; not redacted yet."""


def set_up_host(plan: FleetPlan, name: str, digest: str) -> Result:
    """Bring host `name` to what `plan` says, and leave `digest` on it once all is done."""
    heard = _Heard()
    logger.setLevel(logging.WARNING)
    logger.addHandler(heard)
    state = _state_for(plan, plan.outputs.host(name))
    target = state.inventory.get_host(name)
    try:
        connect_all(state)
    except PyinfraError:
        return Result(failed="connecting by ssh", output=heard.tail())
    try:
        state.set_stage(StateStage.Prepare)
        add_deploy(state, _operations, plan, plan.outputs.host(name), digest)
        run_ops(state)
    except PyinfraError as error:
        return _failure(state, target, heard, error)
    finally:
        disconnect_all(state)
    return Result(changed=tuple(_changed(state, target)))


def _state_for(plan: FleetPlan, host: Host) -> State:
    own_keys = "IdentityFile" not in plan.outputs.ssh_config_path.read_text()
    data: dict[str, object] = {
        "ssh_config_file": plan.outputs.ssh_config,
        "ssh_strict_host_key_checking": "yes",
        "ssh_connect_retries": 3,
        "ssh_allow_agent": own_keys,
        "ssh_look_for_keys": own_keys,
    }
    inventory = Inventory(([(host.name, data)], {}))
    config = Config(SUDO=host.ssh_user != "root", CONNECT_TIMEOUT=15)
    return State(inventory=inventory, config=config, check_for_changes=False)


def _operations(plan: FleetPlan, host: Host, digest: str) -> None:
    _install(roles.packages(plan, host))
    for module in roles.modules(plan, host):
        users = cast("Callable[[FleetPlan, Host], None] | None", getattr(module, "users", None))
        if users:
            users(plan, host)
    place_all(roles.files(plan, host))
    for effect in roles.effects(plan, host):
        carry_out(effect)
    place(name="digest", files=[HostFile(path, digest + "\n") for path in DIGESTS])


def _install(wanted: list[str]) -> None:
    """Only what is missing: a baked image needs neither lists nor network."""
    installed = cast("dict[str, object]", current_host.get_fact(DebPackages) or {})
    missing = [name for name in wanted if name not in installed]
    if missing:
        command = shlex.join(["/bin/sh", "-c", verbatim("base/install.sh"), "install", *missing])
        server.shell(name=f"packages {' '.join(missing)}", commands=[command])


def _changed(state: State, target: Target) -> list[str]:
    return [name for name, meta in _metas(state, target) if meta.is_complete() and meta.did_change()]


def _failure(state: State, target: Target, heard: _Heard, error: Exception) -> Result:
    for name, meta in _metas(state, target):
        if meta.is_complete() and meta.did_error():
            lines = meta.stderr_lines or meta.stdout_lines
            return Result(failed=name, output=tuple(lines[-20:]) or heard.tail())
    return Result(failed=str(error), output=heard.tail())


def _metas(state: State, target: Target) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for op_hash in state.get_op_order():
        if op_hash in state.ops[target]:
            names = ", ".join(state.get_op_meta(op_hash).names)
            found.append((names, state.get_op_data_for_host(target, op_hash).operation_meta))
    return found


class _Heard(logging.Handler):
    """Keeps what pyinfra says, to be shown only if it fails."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())

    def tail(self) -> tuple[str, ...]:
        """The last lines."""
        return tuple(self.lines[-20:])
