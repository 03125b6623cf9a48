"""Are the ports free that the fleet wants on 127.0.0.1? If not: which, who has it, and what to change."""

from __future__ import annotations

import errno
import re
import shutil
import socket
import subprocess
from collections.abc import Iterable

from slipway.platforms.local.docker import Docker
from slipway.platforms.local.layout import LocalHost
from slipway.settings.errors import BadInput

LOOPBACK = "127.0.0.1"


def refuse_ports_in_use(docker: Docker, stack: str, hosts: Iterable[LocalHost]) -> None:
    """BadInput naming every port that `hosts` (whose containers do not run yet) cannot have."""
    taken = [(port, setting) for host in hosts for port, _, setting in host.published if not is_free(port)]
    if not taken:
        return
    lines = [
        f"Pulumi.{stack}.yaml slipway:local {key}: port {port} is taken by {owner(docker, port)}"
        for port, key in taken
    ]
    raise BadInput(lines[0], details=lines[1:], remedy=f"stop it, or set {taken[0][1]} to a free port")


def is_free(port: int) -> bool:
    """Could something listen on 127.0.0.1:`port` now? (A port that needs rights is docker's to judge.)"""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen(1)
        except OSError as error:
            return error.errno != errno.EADDRINUSE
    return True


def owner(docker: Docker, port: int) -> str:
    """Who listens on `port`, as well as this user may know."""
    container = docker.text("ps", "--filter", f"publish={port}", "--format", "{{.Names}}")
    if container:
        return f"container {container.splitlines()[0]}"
    if shutil.which("ss"):
        listing = subprocess.run(
            ["ss", "-Hltnp", f"sport = :{port}"], check=False, capture_output=True, text=True
        )
        found = re.search(r'\("([^"]+)",pid=(\d+)', listing.stdout)
        if found:
            return f"{found[1]} (pid {found[2]})"
    return "another program"
