"""The hardened systemd unit of one instance of a process.

Release number, build and config are in the environment file, not in the unit, so that a release that changes
no command needs no daemon-reload.
"""

from __future__ import annotations

import os
import re

from . import accounts, durable, image, systemd
from .errors import AgentError
from .host import Paths
from .json_object import NO_TEXT, one_line
from .state import Process, Slot

METADATA = ("169.254.169.254/32", "fd00:ec2::254/128")
"""Where a cloud gives an instance its credentials and user data: for root and the agent, not for the app."""

NEEDED = (
    *("network-online.target", "haproxy.service", "postgresql.service", "pgbouncer.service"),
    *("redis-server.service", "slipway-redis-tls.service", "versitygw.service"),
)
"""Processes start after these and so end before them, where the host has them: when it is switched off, open
sockets can still be closed in good order, and jobs finished."""
SANDBOX = f"""\
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
DevicePolicy=closed
PrivateMounts=yes
ProtectProc=invisible
ProtectClock=yes
ProtectHostname=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
LockPersonality=yes
RemoveIPC=yes
KeyringMode=private
UMask=0077
IPAddressDeny={" ".join(METADATA)}
LimitCORE=0
LimitNOFILE=65536
TasksMax=4096
"""
"""Bun, Node and Python run under each of these lines. Three are missing: MemoryDenyWriteExecute, because
their JITs write code; ProcSubset=pid, because they read /proc/meminfo and /proc/cpuinfo; and PrivateUsers,
because a host in a container cannot provide it.

IPAddressDeny= is the second lock: the firewall's rule (hosts/firewall.py) is also there without BPF."""


IMAGE_SANDBOX = SANDBOX.replace("ProtectHome=yes", "ProtectHome=no")
"""The same for an image, whose own /home and /root may hold its app. It sees no other."""


def properties(sandbox: str = SANDBOX) -> list[str]:
    """The sandbox as `--property` values of systemd-run."""
    return [line for line in sandbox.splitlines() if line]


def search_path(root: str) -> str:
    """PATH of a process: the build's own runtime first."""
    return f"{root}/.runtime/bin:{root}/node_modules/.bin:{root}/.venv/bin:/usr/local/bin:/usr/bin:/bin"


def folder(root: str, directory: str) -> str:
    """The path of `directory` in the build at `root`. Raises `bad_request` if it leaves the build.

    systemd would expand `%`, and join the next line to one that ends with a backslash.
    """
    one_line(directory, "directory")
    if any(character in directory for character in "\\%\"'") or directory.strip() != directory:
        raise AgentError(
            "bad_request", f"directory {directory!r} holds what systemd would not read as a name"
        )
    path = os.path.normpath(os.path.join(root, directory))
    if path != root and not path.startswith(root + "/"):
        raise AgentError("bad_request", f"directory {directory!r} leaves the build")
    return path


def inside(runs: image.Image, directory: str) -> str:
    """The path of `directory` as a process sees it whose root is the image."""
    return folder(runs.root, directory).removeprefix(runs.root) or "/"


def shell(command: str) -> str:
    """`command` for `sh -c`. A simple command replaces the shell, so that the stop signal reaches it."""
    plain = not re.search(r"[;&|<>()\n{}!]", command) and not re.match(r"exec\b|\w+=", command)
    return f"exec {command}" if plain else command


def quote(text: str) -> str:
    """One word of ExecStart, quoted for systemd; neither specifiers nor variables are expanded.

    Raises `bad_request` for NUL and for what is no text: systemd would discard the whole line.
    """
    if "\0" in text or NO_TEXT.search(text):
        raise AgentError("bad_request", "a command or variable holds a character that systemd discards")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    escaped = re.sub(r"[\x01-\x1f\x7f]", lambda found: f"\\x{ord(found[0]):02x}", escaped)
    return '"' + escaped.replace("%", "%%").replace("$", "$$") + '"'


def render(paths: Paths, slot: str, process: Process, instance: int, runs: image.Image | None = None) -> str:
    """The unit file of instance `instance` (from 1) of `process` in `slot`; `runs`: of an image."""
    root = paths.slot(slot)
    directory = folder(root, process.directory)
    unit = process.units(slot)[instance - 1]
    ready = f"slipway/ready/{unit}"
    account = "\n".join(accounts.settings(slot, process.name))
    start = f"/bin/sh -c {quote(shell(process.command))}"
    environment = {"PATH": search_path(root)}
    if runs:
        directory = inside(runs, process.directory)
        start = " ".join(quote(word) for word in runs.words(process.command))
        environment = {**runs.env, "PATH": runs.path}
        account = "\n".join([account, *runs.settings()])
    environment |= {
        "HOME": accounts.home(slot, process.name),
        "READY_FILE": f"/run/{ready}/ready",
    }
    if process.name == "web":
        environment |= {"PORT": str(process.ports(slot)[instance - 1]), "HOST": "127.0.0.1"}
    variables = "".join(f"Environment={quote(f'{name}={value}')}\n" for name, value in environment.items())
    return f"""\
[Unit]
Description=slipway {process.name} ({slot}, instance {instance})
After={" ".join(NEEDED)}
StartLimitIntervalSec=0

[Service]
Type=exec
{account}
WorkingDirectory={directory}
EnvironmentFile={paths.env_file(slot, process.name)}
{variables}ExecStart={start}
SyslogIdentifier={process.name}
Restart=always
RestartSec=1
KillMode=mixed
KillSignal={process.stop_signal}
TimeoutStopSec={process.drain_seconds}
SuccessExitStatus=130 143
MemoryMax={process.memory_max}
RuntimeDirectory={ready}
{IMAGE_SANDBOX if runs else SANDBOX}"""


def write_slot(paths: Paths, slot: Slot) -> bool:
    """Write the unit files of the processes of `slot` and remove others; True if systemd was reloaded."""
    runs = image.of(paths, slot)
    wanted = {
        process.units(slot.name)[i - 1]: render(paths, slot.name, process, i, runs)
        for process in slot.processes.values()
        for i in range(1, process.instances + 1)
    }
    os.makedirs(paths.units, exist_ok=True)
    changed = False
    pattern = re.compile(rf"slipway-[a-z0-9-]+@{slot.name}-\d+\.service")
    for name in os.listdir(paths.units):
        if pattern.fullmatch(name) and name not in wanted:
            changed |= durable.unlink(paths.unit(name))
    for name, text in wanted.items():
        if durable.read(paths.unit(name)) != text.encode():
            durable.write(paths.unit(name), text.encode(), 0o644)
            changed = True
    if changed:
        systemd.reload()
    return changed
