"""How long reading hosts takes: the checks' kept connections against testinfra's own ssh backend.

    uv run python bench/checks.py [--stack local] [--rounds 3] [--project .]

All do the same reads on the same hosts in turns, one host after the other; what they read must be the same.
`plain` is testinfra with an ssh_config that only names the hosts; `one ssh a host` has the stack's own, whose
ControlMaster spares it the handshakes. Goal: at least 5 times faster than plain.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import testinfra

from slipway.settings.outputs import Host

GOAL = 5.0
READS: tuple[tuple[str, Callable[[Any], object]], ...] = (
    ("file mode", lambda host: host.file("/etc/passwd").mode),
    ("file content", lambda host: host.file("/etc/hostname").content_string),
    ("user", lambda host: host.user("root").uid),
    ("service running", lambda host: host.service("ssh").is_running),
    ("service enabled", lambda host: host.service("ssh").is_enabled),
    ("package", lambda host: host.package("openssh-server").version),
    ("listening port", lambda host: host.socket("tcp://22").is_listening),
    ("process", lambda host: len(host.process.filter(user="root")) > 0),
    ("sshd -T", lambda host: host.check_output("sshd -T | sort | head -5")),
    ("shadow", lambda host: host.check_output("cut -d: -f1 /etc/shadow | sort")),
    ("unit", lambda host: host.check_output("systemctl show --value -p Id ssh")),
    ("firewall", lambda host: host.check_output("nft list tables")),
)
"""What checks read, by testinfra's own modules and by commands."""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--stack", default="local")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--project", type=Path, default=Path.cwd())
    asked = parser.parse_args()
    os.chdir(asked.project)
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from checks.kit.hosts import Hosts  # noqa: PLC0415 - found by the line before
    from slipway.stack import open_live  # noqa: PLC0415

    live = open_live(asked.stack)
    hosts = Hosts(live)
    written = live.outputs.ssh_config_path
    ways: dict[str, dict[str, Any]] = {
        "kept": {host.name: host.machine for host in hosts},
        "plain": connected(live.outputs.hosts, plain(written, asked.project)),
        "plain, one ssh a host": connected(live.outputs.hosts, written),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(asked.rounds):
        read: list[list[object]] = []
        for name, machines in ways.items():
            spent, found = timed(machines)
            seconds[name].append(spent)
            read.append(found)
        if any(found != read[0] for found in read):
            sys.exit(f"they did not read the same: {read}")
        told = "  ".join(f"{name} {spent[-1] * 1000:.0f} ms" for name, spent in seconds.items())
        print(f"{number + 1:>3}  {len(read[0])} reads on {len(ways['kept'])} hosts:  {told}", flush=True)
    hosts.close()
    kept = statistics.median(seconds["kept"])
    ratios = {name: statistics.median(spent) / kept for name, spent in seconds.items() if name != "kept"}
    for name, ratio in ratios.items():
        print(f"{ratio:5.1f} times faster than testinfra {name} (medians)")
    print(f"{kept / (len(READS) * len(ways['kept'])) * 1000:5.1f} ms a read, kept")
    return 0 if ratios["plain"] >= GOAL else 1


def connected(hosts: list[Host], config: Path) -> dict[str, Any]:
    """testinfra's default ssh backend to every host."""
    return {host.name: testinfra.get_host(f"ssh://{host.name}", ssh_config=str(config)) for host in hosts}


def timed(machines: dict[str, Any]) -> tuple[float, list[object]]:
    """Seconds that all reads take on all machines, and what was read. testinfra's own memory is not used."""
    began = time.perf_counter()
    found = [read(machine) for machine in machines.values() for _, read in READS]
    return time.perf_counter() - began, found


def plain(config: Path, project: Path) -> Path:
    """The stack's ssh_config without kept connections: as somebody has it who only wrote down the hosts."""
    lines = [line for line in config.read_text().splitlines() if "Control" not in line]
    made = project / ".slipway" / "plain_ssh_config"
    made.write_text("\n".join(lines) + "\n")
    return made


if __name__ == "__main__":
    sys.exit(main())
