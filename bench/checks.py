"""How long reading hosts takes: testinfra over the stack's ssh_config against testinfra over a plain one.

    uv run python bench/checks.py [--stack local] [--rounds 3] [--project .]

Both read the same from the same hosts in turns, one host after the other, and must find the same. The stack's
ssh_config keeps one connection open for each host (ControlMaster); `plain` is the same file without that, so
every read is a handshake. Goal: at least 5 times faster than plain.
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

    outputs = open_live(asked.stack).outputs
    without = outputs.model_copy(update={"ssh_config": str(plain(outputs.ssh_config_path, asked.project))})
    ways = {"stack": Hosts(outputs), "plain": Hosts(without)}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(asked.rounds):
        read: list[list[object]] = []
        for name, hosts in ways.items():
            spent, found = timed(hosts)
            seconds[name].append(spent)
            read.append(found)
        if any(found != read[0] for found in read):
            sys.exit(f"they did not read the same: {read}")
        times = "  ".join(f"{name} {spent[-1] * 1000:.0f} ms" for name, spent in seconds.items())
        print(f"{number + 1:>3}  {len(read[0])} reads on {len(outputs.hosts)} hosts:  {times}", flush=True)
    stack = statistics.median(seconds["stack"])
    ratio = statistics.median(seconds["plain"]) / stack
    print(f"{ratio:5.1f} times faster than testinfra over a plain ssh_config (medians)")
    print(f"{stack / (len(READS) * len(outputs.hosts)) * 1000:5.1f} ms for one read")
    return 0 if ratio >= GOAL else 1


def timed(hosts: Any) -> tuple[float, list[object]]:
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
