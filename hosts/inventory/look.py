"""Looks at hosts over ssh: one command a host, many hosts at once."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from hosts.inventory.hardening import SETTINGS
from hosts.inventory.judge import deviations
from hosts.inventory.parts import Deviation, Inventory
from hosts.inventory.places import MODES
from hosts.inventory.released import Released
from slipway.settings import Host, Outputs, SlipwayError

SECONDS = 120
AT_ONCE = 64
"""The most hosts that are read at the same time."""
_PROGRAM = [Path(__file__).parent / "on_host" / name for name in ("files.py", "network.py", "state.py")]
_OWN_IMPORT = re.compile(r"^from (?:__future__|hosts\.\S+) import (?:\([^)]*\)|.*)$", re.MULTILINE)


def look_at_all(
    outputs: Outputs, inventories: Mapping[str, Inventory], released: Released | None = None
) -> tuple[dict[str, list[Deviation]], dict[str, SlipwayError]]:
    """By host, its deviations; and by host, why it could not be looked at. `released`: see `deviations`."""
    found: dict[str, list[Deviation]] = {}
    failed: dict[str, SlipwayError] = {}

    def look(host: Host) -> None:
        inventory = inventories[host.name]
        try:
            found[host.name] = deviations(inventory, look_at(outputs, host, inventory), released)
        except SlipwayError as error:
            failed[host.name] = error

    hosts = [host for host in outputs.hosts if host.name in inventories]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(look, hosts))
    return {host.name: found[host.name] for host in hosts if host.name in found}, failed


def look_at(outputs: Outputs, host: Host, inventory: Inventory) -> dict[str, Any]:
    """What is on `host`. The program travels on standard input, and nothing stays there."""
    done = run_on(outputs, host, ["/usr/bin/python3", "-IB", "-"], program(inventory))
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()[-4:]
        raise SlipwayError(f"{host.name}: what is on it could not be read", details=lines)
    return json.loads(done.stdout)


def program(inventory: Inventory) -> str:
    """What a host runs: one text, with what the inventory names filled in."""
    wanted = {
        "known": list(inventory.files),
        "files": [*inventory.files, *inventory.folders, *MODES],
        "units": list(inventory.units),
        "settings": SETTINGS,
        "kernel": [*inventory.kernel, "kernel.randomize_va_space"],
        "packages": inventory.packages,
    }
    source = _OWN_IMPORT.sub("", "\n".join(path.read_text() for path in _PROGRAM))
    return source.replace("WANTED: dict[str, Any] = {}", f"WANTED = {wanted!r}", 1)


def run_on(outputs: Outputs, host: Host, argv: list[str], stdin: str) -> subprocess.CompletedProcess[str]:
    """Run a command on `host` as root, over the kept connection."""
    ssh = ["ssh", "-F", outputs.ssh_config, "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", host.name]
    become = [] if host.ssh_user == "root" else ["sudo", "-n", "--"]
    try:
        return subprocess.run(
            [*ssh, *become, *argv], input=stdin, capture_output=True, text=True, check=False, timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        raise SlipwayError(f"{host.name}: `{argv[0]}` did not end within {SECONDS} s") from None
