"""The figures that a benchmark measures: printed for people, or with `--json` as lines for `bench.publish`.

A benchmark records a figure by its name: `record("rollback.median", 0.66, "s", "20 runs")`. A page shows it
where it says `<!-- bench:rollback.median -->0.66 s<!-- /bench -->`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


def _machine() -> str:
    return f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}"


def _versions() -> dict[str, str]:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return {"python": platform.python_version(), "slipway": commit.stdout.strip()}


@dataclass(frozen=True)
class Figure:
    """One measured number. Units: `s`, `MB`, `/s`, `%` (43 of 100), `times`, `ratio`; none for a count."""

    name: str
    value: float
    unit: str
    how: str
    """What was repeated how often: `20 runs`."""
    date: str = field(default_factory=_today)
    machine: str = field(default_factory=_machine)
    versions: dict[str, str] = field(default_factory=_versions)


def parser(doc: str | None) -> argparse.ArgumentParser:
    """A parser of a benchmark's arguments, described by its docstring; it takes `--json`."""
    made = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--json", action="store_true", help="print figures as JSON lines, all else on stderr")
    return made


def record(name: str, value: float, unit: str, how: str) -> None:
    """Print one figure, for people or, with `--json`, as a line for `python -m bench.publish`."""
    figure = Figure(name, float(f"{value:.4g}"), unit, how)
    if "--json" in sys.argv[1:]:
        print(json.dumps(asdict(figure)), flush=True)
    else:
        print(f"{name:<32} {shown(figure.value, unit):>10}   {how}", flush=True)


def record_spread(name: str, values: Sequence[float], unit: str, how: str) -> None:
    """Print the median and the worst of `values` as `<name>.median` and `<name>.worst`."""
    record(f"{name}.median", statistics.median(values), unit, how)
    record(f"{name}.worst", max(values), unit, how)


def note(text: str) -> None:
    """Print progress: beside the figures, never among JSON lines."""
    print(text, file=sys.stderr if "--json" in sys.argv[1:] else sys.stdout, flush=True)


def shown(value: float, unit: str) -> str:
    """A figure as a page shows it: `0.66 s`, `4.4 ms`, `2 min 23 s`, `21,000`."""
    match unit:
        case "s" if value >= 100:
            return f"{value // 60:.0f} min {value % 60:.0f} s"
        case "s" if value < 0.001:
            return f"{_digits(value * 1e6)} µs"
        case "s" if value < 0.1:
            return f"{_digits(value * 1e3)} ms"
        case "":
            return f"{value:,.0f}"
        case "ratio":
            return f"{value:.2f}"
        case _:
            return f"{_digits(value)} {unit}"


def _digits(value: float) -> str:
    """Two decimals below 10, one below 100, none above."""
    decimals = 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:,.{decimals}f}".rstrip("0").rstrip(".") if decimals else f"{value:,.0f}"
