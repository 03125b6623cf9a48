"""The reports of a load run: HTML for people, JSON for machines, JUnit and a summary for CI, the history."""

from __future__ import annotations

import json
import os
from pathlib import Path

from slipway.traffic.report.ci import junit, markdown
from slipway.traffic.report.history import remember
from slipway.traffic.report.html import page
from slipway.traffic.results import RunResult
from slipway.traffic.samples import Samples


def write_reports(run: RunResult, samples: Samples, folder: Path) -> list[Path]:
    """Writes `run` into `folder` and adds it to the history there; returns what a person may open.

    The numbers come first and the pages last: whatever ends this process, most of it is there.
    In a CI job that has a summary (`GITHUB_STEP_SUMMARY`), the run is added to it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "results.json", run.model_dump_json(indent=1) + "\n")
    _write(folder / "samples.json", json.dumps(samples.to_json(), separators=(",", ":")) + "\n")
    past = remember(run, folder / "history.jsonl")
    summary = markdown(run, past)
    written = [
        _write(folder / "report.html", page(run, past)),
        folder / "results.json",
        _write(folder / "junit.xml", junit(run)),
        _write(folder / "summary.md", summary),
    ]
    if told := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(told).open("a") as file:
            file.write(summary + "\n")
    return written


def _write(file: Path, text: str) -> Path:
    """At once: a reader never sees half of a report."""
    fresh = file.with_suffix(f"{file.suffix}.{os.getpid()}.new")
    fresh.write_text(text)
    fresh.replace(file)
    return file
