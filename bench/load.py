"""What our load generator costs beside locust's own and a bare loop, and what a closed model does not see.

    uv run python -m bench.load [--seconds 5] [--rounds 3] [--freeze-seconds 30] [--json]

Each generator is one process; they take turns at the same trivial server: a busy machine hits all.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager

from bench.record import ROOT, note, parser, record

USERS = 20


@contextmanager
def server(
    kind: str, freeze_at: float = 0, freeze: float = 0
) -> Generator[tuple[int, subprocess.Popen[str]]]:
    command = [sys.executable, "-m", "bench.load_servers", kind, str(freeze_at), str(freeze)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert process.stdout
        yield int(process.stdout.readline()), process
    finally:
        process.terminate()
        process.wait()


def start(client: str, port: int, seconds: float, users: int, rate: float) -> subprocess.Popen[str]:
    sizes = [str(port), str(seconds), str(users), str(rate)]
    command = [sys.executable, "-m", "bench.load_clients", client, *sizes]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def result(process: subprocess.Popen[str]) -> dict[str, float]:
    out, _ = process.communicate()
    if process.returncode:
        sys.exit(f"{process.args} ended with {process.returncode}")
    return json.loads(out.splitlines()[-1])


def side_by_side(kind: str, theirs: str, ours: str, seconds: float, rounds: int) -> float:
    """Records both sides and how ours compares in rate and in CPU for each; gives the better ratio."""
    runs: dict[str, list[dict[str, float]]] = {theirs: [], ours: []}
    with server(kind) as (port, _):
        rate = 0.0
        for _ in range(rounds):
            runs[theirs].append(result(start(theirs, port, seconds, USERS, 0)))
            # An open model reaches its maximum only if more visits are due than it can send.
            rate = 1.2 * max(run["rate"] for run in runs[theirs])
            runs[ours].append(result(start(ours, port, seconds, USERS, rate)))
    middle = {
        name: {key: statistics.median(run[key] for run in each) for key in ("rate", "cpu_us", "core")}
        for name, each in runs.items()
    }
    how = f"median of {rounds}, {seconds:g} s each, one process"
    for side, name in (("theirs", theirs), ("ours", ours)):
        record(f"load.{kind}.{side}.rate", middle[name]["rate"], "/s", how)
        record(f"load.{kind}.{side}.cpu", middle[name]["cpu_us"] / 1e6, "s", f"{how}; of CPU for each")
        record(f"load.{kind}.{side}.core", middle[name]["core"] * 100, "%", f"{how}; of a core")
    rate = middle[ours]["rate"] / middle[theirs]["rate"]
    cpu = middle[theirs]["cpu_us"] / middle[ours]["cpu_us"]
    record(f"load.{kind}.ratio.rate", rate, "ratio", f"{how}; ours/theirs")
    record(f"load.{kind}.ratio.cpu", cpu, "ratio", f"{how}; theirs/ours")
    return max(rate, cpu)


def frozen(seconds: float) -> tuple[dict[str, float], dict[str, float]]:
    """Ours and the closed model at 100 requests/s, and a server that stands still for a sixth of the time."""
    freeze = seconds / 6
    with server("http", seconds / 2.5, freeze) as (port, process):
        ours = start("ours-http", port, seconds, 500, 100)
        closed = start("plain-http", port, seconds, 10, 100)
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
        return result(ours), result(closed)


def main() -> None:
    wanted = parser(__doc__)
    wanted.add_argument("--seconds", type=float, default=5)
    wanted.add_argument("--rounds", type=int, default=3)
    wanted.add_argument("--freeze-seconds", type=float, default=30)
    given = wanted.parse_args()
    goals: list[bool] = []
    for title, kind, theirs, ours, goal in (
        ("HTTP: FastHttpUser and ours", "http", "plain-http", "ours-http", 0.9),
        ("WebSocket: websocket-client in a loop and ours", "ws", "bare-ws", "ours-ws", 0.8),
    ):
        note(f"{title} (goal {goal})")
        goals.append(side_by_side(kind, theirs, ours, given.seconds, given.rounds) >= goal)
    total = given.freeze_seconds
    note(f"A server at 100 requests/s that stands still for {total / 6:g} of {total:g} s")
    open_model, closed = frozen(total)
    for name, each in (("open", open_model), ("closed", closed)):
        record(f"load.frozen.{name}.p95", each["p95_ms"] / 1000, "s", f"{each['samples']:.0f} samples")
    goals.append(open_model["p95_ms"] > 1000 > closed["p95_ms"])
    sys.exit(0 if all(goals) else 1)


if __name__ == "__main__":
    main()
