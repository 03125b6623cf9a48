"""Many WebSockets, each with a message a second, held for a minute while the app is released under them.

    uv run python bench/sockets.py [--stack local] [--sockets 1000] [--processes 1] [--project .]

Goals: nothing lost, and every threshold of slipway.toml met. Changes a file of the app (`--file`), and takes
it back.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from commands import slipway

RELEASE_AFTER = 25.0
"""Seconds: all sockets are open after 15."""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--stack", default="local")
    parser.add_argument("--sockets", type=int, default=1000)
    parser.add_argument("--arrivals", type=float, default=2)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=75)
    parser.add_argument("--project", type=Path, default=Path.cwd())
    parser.add_argument("--file", type=Path, default=Path("examples/board/public/bench.txt"))
    asked = parser.parse_args()
    load = [
        sys.executable,
        "-m",
        "slipway",
        "load",
        "--stack",
        asked.stack,
        "--profile",
        "expected",
        "--json",
    ]
    for size in ("sockets", "arrivals", "processes", "seconds"):
        load += [f"--{size}", str(getattr(asked, size))]
    changing: Path = asked.project / asked.file
    running = subprocess.Popen(load, cwd=asked.project, stdout=subprocess.PIPE, text=True)
    try:
        time.sleep(min(RELEASE_AFTER, asked.seconds / 3))
        if running.poll() is not None:
            return running.returncode
        changing.write_text(f"{time.time_ns()}\n")
        shipped = slipway(
            asked.project, "release", "--stack", asked.stack, "--observe", "0", "--no-checks", "--no-prove"
        )
        print(f"release {shipped.report['release']} after {shipped.ms / 1000:.1f} s", flush=True)
        out, _ = running.communicate()
    finally:
        changing.unlink(missing_ok=True)
        if running.poll() is None:
            running.terminate()
            running.wait()
    return tell(json.loads(out), running.returncode)


def tell(run: dict[str, Any], code: int) -> int:
    """Print what was found; 1 if anything was lost or a threshold missed."""
    print(f"{run['sockets_peak']} of {run['sockets_asked']} sockets at the peak; {run['seconds']:.0f} s")
    for each in run["requests"]:
        times = "  ".join(f"{name} {each[name]:.1f} ms" for name in ("p50", "p95", "p99") if each[name])
        print(f"  {each['kind']} {each['name']}: {each['count']}, {each['failed']} failed  {times}")
        for reason, count in each["errors"].items():
            print(f"    {count} x {reason}")
    cpu = max((point["cpu"] or 0 for point in run["points"]), default=0)
    print(f"generator: {cpu:.0%} of a core at most; {run['dropped']} visits dropped")
    for mark in run["annotations"]:
        print(f"  {mark[0] - _seconds(run):5.1f} s  {mark[1]}")
    for finding in run["thresholds"]:
        if finding["verdict"] not in ("pass", "not judged"):
            print(f"  {finding['verdict']}: {finding}")
    lost = sum(each["failed"] for each in run["requests"])
    print(f"{lost} lost; exit code {code}")
    return 1 if lost or code else 0


def _seconds(run: dict[str, Any]) -> float:
    return datetime.fromisoformat(run["started"]).timestamp()


if __name__ == "__main__":
    sys.exit(main())
