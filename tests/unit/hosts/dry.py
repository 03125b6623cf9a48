"""The files of a host as its deploy would leave them, read from the commands of a dry run."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, replace

from pyinfra.api.command import FileUploadCommand

from hosts.plan import FleetPlan
from hosts.run import dry_run, uploaded
from slipway.settings import Host


@dataclass(frozen=True)
class Placed:
    """A file as it is left on the host."""

    data: bytes
    mode: str = ""
    group: str = "root"


def placed(plan: FleetPlan, host: Host) -> dict[str, Placed]:
    """By path."""
    found: dict[str, Placed] = {}
    for _, command in dry_run(plan, host):
        if isinstance(command, FileUploadCommand):
            found[command.dest] = Placed(uploaded(command))
            continue
        text = str(command)
        if installed := re.search(r"chown \w+:(\w+) (\S+)\.slipway-new && chmod (\d+) ", text):
            group, path, mode = installed.groups()
            content = base64.b64decode(str(dict(command.connector_arguments)["_stdin"]))
            found[path] = Placed(content, mode, group)
        elif (changed := re.fullmatch(r"chmod (\d+) (\S+)", text)) and changed[2] in found:
            found[changed[2]] = replace(found[changed[2]], mode=changed[1])
        elif (changed := re.fullmatch(r"chown \w+:(\w+) (\S+)", text)) and changed[2] in found:
            found[changed[2]] = replace(found[changed[2]], group=changed[1])
    return found


def operations(plan: FleetPlan, host: Host) -> list[str]:
    """Names of the operations, in their order."""
    return list(dict.fromkeys(name for name, _ in dry_run(plan, host)))


def on_itself(role: str) -> Host:
    """A host of `role` before it knows its name."""
    return Host.model_validate({"name": role, "role": role, "address": "", "ssh_host": ""})
