"""The way of a request: the app alone, and behind HAProxy, nginx, Caddy, slipway's web tier and whole path.

    uv run python -m bench.path [--seconds 3] [--rounds 3] [--sockets 1000] [--json]

All run on this machine, one way at a time. wrk (Debian's package) sends the closed model, 16 connections;
an open model and the sockets are sent by `bench.path_clients`, at half of the slowest way's rate.
Ends with 1 if a goal is missed. Needs haproxy and wrk (apt install haproxy wrk); nginx and caddy are left out
where they are missing.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.path_ways import Way, way, ways
from bench.record import ROOT, note, parser, record

POST = (
    """wrk.method = "POST"; wrk.body = string.rep("x", 1024); wrk.headers["Content-Type"] = "text/plain"\n"""
)
KINDS = {"health": "/health", "page": "/page", "post": "/take"}
GOALS = {"web": ("haproxy", 0.85), "whole": ("haproxy2", 0.8)}
"""By way of ours, the plain proxies with as many tiers, and the least part of what they do."""
SAME_DUTIES = ("nginx-edge", "caddy-edge")
"""Ways of one tier that do what the edge does."""
SATURATED = 0.7
MORE_P99 = 0.001
"""Seconds that the whole path may add to the app's own p99 at half load."""


def closed(each: Way, kind: str, seconds: int, folder: Path) -> tuple[float, dict[str, float]]:
    """Requests a second by wrk, and the processor seconds of each tier for one request."""
    script = folder / "post.lua"
    script.write_text(POST)
    url = f"{'https' if each.tls else 'http'}://localhost:{each.port}{KINDS[kind]}"
    command = ["wrk", "-t1", "-c16", f"-d{seconds}s", *(("-s", str(script)) if kind == "post" else ()), url]
    before = each.cpu()
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    after = each.cpu()
    if "Non-2xx" in said or "Socket errors" in said:
        note(f"wrk: {said}")
    count = int(re.findall(r"(\d+) requests in", said)[0])
    rate = float(re.findall(r"Requests/sec:\s+([\d.]+)", said)[0])
    return rate, {tier: (after[tier] - before[tier]) / max(count, 1) for tier in after}


def client(kind: str, each: Way, seconds: float, size: float) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.path_clients", kind, str(each.port), str(int(each.tls))]
    done = subprocess.run(
        [*command, str(seconds), str(size)], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return json.loads(done.stdout)


def main() -> None:
    wanted = parser(__doc__)
    wanted.add_argument("--seconds", type=int, default=3)
    wanted.add_argument("--rounds", type=int, default=3)
    wanted.add_argument("--sockets", type=int, default=1000)
    given = wanted.parse_args()
    if not shutil.which("wrk"):
        sys.exit("wrk is not installed: apt install wrk")
    rates: dict[str, dict[str, float]] = {}
    used: dict[str, float] = {}
    busy = f"load average {os.getloadavg()[0]:.0f}"
    how = f"median of {given.rounds}, {given.seconds:g} s each, {busy} before it"
    with tempfile.TemporaryDirectory() as name:
        for title, tiers in ways().items():
            note(f"{title}: closed model")
            rates[title], used[title] = _closed(title, tiers, Path(name), given.seconds, given.rounds, how)
        half = min(each["health"] for each in rates.values()) / 2
        slow: dict[str, float] = {}
        for title, tiers in ways().items():
            note(f"{title}: {half:.0f} requests/s, and {given.sockets} sockets")
            slow[title] = _open(title, tiers, Path(name), 2 * given.seconds, half, given.sockets)
    met = [slow["whole"] - slow["app"] <= MORE_P99]
    record(
        "path.whole.more", slow["whole"] - slow["app"], "s", f"p99 at {half:.0f} requests/s, beyond the app's"
    )
    for ours, (plain, least) in GOALS.items():
        for kind in KINDS:
            record(f"path.{ours}.ratio.{kind}", rates[ours][kind] / rates[plain][kind], "ratio", how)
        by_cpu = used[plain] / used[ours]
        record(f"path.{ours}.ratio.cpu", by_cpu, "ratio", f"{how}; plain/ours, of all tiers and the app")
        # On a busy machine, processor time is what can be compared.
        met.append(max(by_cpu, rates[ours]["health"] / rates[plain]["health"]) >= least)
    logs = used["whole"] / used["unlogged"]
    record(
        "path.whole.ratio.unlogged", logs, "ratio", f"{how}; of processor time, with and without log lines"
    )
    for other in set(SAME_DUTIES) & rates.keys():
        ratio = rates["edge"]["health"] / rates[other]["health"]
        record(f"path.edge.ratio.{other}", ratio, "ratio", f"{how}; requests to /health, edge/{other}")
        met.append(ratio >= 1)
    sys.exit(0 if all(met) else 1)


def _closed(
    title: str, tiers: tuple[str, ...], within: Path, seconds: int, rounds: int, how: str
) -> tuple[dict[str, float], float]:
    """Records rates by kind, and what each tier used for a request to /health. Both."""
    folder = within / f"closed-{title}"
    folder.mkdir()
    found, used = dict[str, float](), 0.0
    with way(tiers, folder) as each:
        for kind in KINDS:
            runs = [closed(each, kind, seconds, folder) for _ in range(rounds)]
            found[kind] = statistics.median(rate for rate, _ in runs)
            record(f"path.{title}.{kind}", found[kind], "/s", how)
            if kind == "health":
                for tier in each.tiers:
                    spent = statistics.median(cpu[tier] for _, cpu in runs)
                    record(f"path.{title}.cpu.{tier}", spent, "s", f"{how}; of processor time for a request")
                    used += spent
    return found, used


def _open(
    title: str, tiers: tuple[str, ...], within: Path, seconds: float, rate: float, sockets: int
) -> float:
    """Records waiting times in the open model, and echoes; the p99 of requests."""
    folder = within / f"open-{title}"
    folder.mkdir()
    with way(tiers, folder) as each:
        seen = client("open", each, seconds, rate)
        echoed = client("sockets", each, seconds / 2, sockets)
    if seen["failed"] or echoed["failed"]:
        note(f"{title}: {seen['failed']:g} requests and {echoed['failed']:g} sockets failed")
    if seen["core"] > SATURATED:
        note(
            f"{title}: the generator needed {seen['core']:.0%} of a core: its times are not those of the way"
        )
    for part in ("p50", "p99"):
        record(f"path.{title}.{part}", seen[part], "s", f"open model, {rate:.0f} requests/s")
    record(f"path.{title}.echoes", echoed["rate"], "/s", f"{sockets} sockets")
    return seen["p99"]


if __name__ == "__main__":
    main()
