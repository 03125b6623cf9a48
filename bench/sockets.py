"""Many WebSockets, each with a message a second, held for a minute while the app is released under them.

    uv run python -m bench.sockets [--stack local] [--sockets 1000] [--processes 1] [--project .] [--json]

Goals: nothing lost, and every threshold of slipway.toml met. Changes a file of the app (`--file`), and takes
it back.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.commands import slipway
from bench.record import note, parser, record

KINDS = {"HTTP": "http", "WS echo": "echo", "WS broadcast": "broadcast"}
"""What is recorded of the kinds of requests, by the name of its figures."""
RELEASE_AFTER = 25.0
"""Seconds: all sockets are open after 15."""


def main() -> int:
    wanted = parser(__doc__)
    wanted.add_argument("--stack", default="local")
    wanted.add_argument("--sockets", type=int, default=1000)
    wanted.add_argument("--arrivals", type=float, default=2)
    wanted.add_argument("--processes", type=int, default=1)
    wanted.add_argument("--seconds", type=float, default=75)
    wanted.add_argument("--project", type=Path, default=Path.cwd())
    wanted.add_argument("--file", type=Path, default=Path("examples/board/public/bench.txt"))
    given = wanted.parse_args()
    load = [
        sys.executable,
        "-m",
        "slipway",
        "load",
        "--stack",
        given.stack,
        "--profile",
        "expected",
        "--json",
    ]
    for size in ("sockets", "arrivals", "processes", "seconds"):
        load += [f"--{size}", str(getattr(given, size))]
    changing: Path = given.project / given.file
    running = subprocess.Popen(load, cwd=given.project, stdout=subprocess.PIPE, text=True)
    try:
        time.sleep(min(RELEASE_AFTER, given.seconds / 3))
        if running.poll() is not None:
            return running.returncode
        changing.write_text(f"{time.time_ns()}\n")
        shipped = slipway(
            given.project, "release", "--stack", given.stack, "--observe", "0", "--no-checks", "--no-prove"
        )
        note(f"release {shipped.report['release']} after {shipped.seconds:.1f} s")
        out, _ = running.communicate()
    finally:
        changing.unlink(missing_ok=True)
        if running.poll() is None:
            running.terminate()
            running.wait()
    return judge(json.loads(out), running.returncode)


def judge(run: dict[str, Any], code: int) -> int:
    """Print what was found; 1 if anything was lost or a threshold missed."""
    note(f"{run['sockets_peak']} of {run['sockets_asked']} sockets at the peak; {run['seconds']:.0f} s")
    for each in run["requests"]:
        times = "  ".join(f"{name} {each[name]:.1f} ms" for name in ("p50", "p95", "p99") if each[name])
        note(f"  {each['kind']} {each['name']}: {each['count']}, {each['failed']} failed  {times}")
        for reason, count in each["errors"].items():
            note(f"    {count} x {reason}")
    cpu = max((point["cpu"] or 0 for point in run["points"]), default=0)
    note(f"generator: {cpu:.0%} of a core at most; {run['dropped']} visits dropped")
    for event in run["annotations"]:
        note(f"  {event[0] - _seconds(run):5.1f} s  {event[1]}")
    for result in run["thresholds"]:
        if result["verdict"] not in ("pass", "not judged"):
            note(f"  {result['verdict']}: {result}")
    lost = sum(each["failed"] for each in run["requests"])
    how = f"{run['sockets_peak']} sockets for {run['seconds']:.0f} s, a release meanwhile"
    record("sockets.open", run["sockets_peak"], "", how)
    record("sockets.lost", lost, "", f"{how}; requests, echoes, broadcasts and sessions")
    for kind, short in KINDS.items():
        rows = [each for each in run["requests"] if each["kind"] == kind]
        record(f"sockets.{short}.count", sum(each["count"] for each in rows), "", how)
        record(f"sockets.{short}.p95", max((each["p95"] or 0) / 1000 for each in rows), "s", how)
    record("sockets.cpu", cpu * 100, "%", f"{how}; of a core, at most")
    note(f"{lost} lost; exit code {code}")
    return 1 if lost or code else 0


def _seconds(run: dict[str, Any]) -> float:
    return datetime.fromisoformat(run["started"]).timestamp()


if __name__ == "__main__":
    sys.exit(main())
