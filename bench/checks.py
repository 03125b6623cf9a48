"""How long reading hosts takes: testinfra over the stack's ssh_config against testinfra over a plain one.

    uv run python -m bench.checks [--stack local] [--rounds 3] [--project .] [--json]

Both read the same from the same hosts in turns, one host after the other, and must find the same. The stack's
ssh_config keeps one connection open for each host (ControlMaster); `plain` is the same file without that, so
every read is a handshake. Goal: at least 5 times faster than plain.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.record import note, parser, record
from checks.kit.hosts import Hosts
from slipway.settings import open_project
from slipway.stack import LiveStack

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
"""What checks read, by testinfra's modules and by commands."""


def main() -> int:
    wanted = parser(__doc__)
    wanted.add_argument("--stack", default="local")
    wanted.add_argument("--rounds", type=int, default=3)
    wanted.add_argument("--project", type=Path, default=Path.cwd())
    given = wanted.parse_args()

    outputs = LiveStack(open_project(given.stack, given.project)).outputs
    without = outputs.model_copy(update={"ssh_config": str(plain(outputs.ssh_config_path, given.project))})
    ways = {"stack": Hosts(outputs), "plain": Hosts(without)}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(given.rounds):
        found: dict[str, list[object]] = {}
        for name, hosts in ways.items():
            spent, found[name] = timed(hosts)
            seconds[name].append(spent)
        if found["stack"] != found["plain"]:
            sys.exit(f"they did not read the same: {found}")
        times = "  ".join(f"{name} {spent[-1]:.2f} s" for name, spent in seconds.items())
        note(f"{number + 1:>3}  {len(found['stack'])} reads on {len(outputs.hosts)} hosts:  {times}")
    reads = len(READS) * len(outputs.hosts)
    stack, without_control = (statistics.median(seconds[name]) for name in ("stack", "plain"))
    how = f"{reads} reads on {len(outputs.hosts)} hosts, median of {given.rounds} rounds"
    record("checks.reads", stack, "s", how)
    record("checks.reads.plain", without_control, "s", how)
    record("checks.read", stack / reads, "s", "one read")
    record("checks.reads.ratio", without_control / stack, "times", how)
    return 0 if without_control / stack >= GOAL else 1


def timed(hosts: Hosts) -> tuple[float, list[object]]:
    """Seconds that all reads take on all hosts, and what was read."""
    began = time.perf_counter()
    found = [read(hosts[name]) for name in hosts for _, read in READS]
    return time.perf_counter() - began, found


def plain(config: Path, project: Path) -> Path:
    """The stack's ssh_config without kept connections."""
    lines = [line for line in config.read_text().splitlines() if "Control" not in line]
    file = project / ".slipway" / "plain_ssh_config"
    file.write_text("\n".join(lines) + "\n")
    return file


if __name__ == "__main__":
    sys.exit(main())
