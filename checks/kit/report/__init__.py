"""The reports of a run: JSON for machines, JUnit for CI, one HTML page with history for people."""

from __future__ import annotations

import os
from pathlib import Path

from checks.kit.report.history import remember
from checks.kit.report.junit import junit
from checks.kit.report.markdown import markdown
from checks.kit.report.page import page
from checks.kit.results import Run


def write_reports(run: Run, folder: Path) -> list[Path]:
    """Writes `run` into `folder` and adds it to the history there; returns what a person may open.

    In a CI job that has a summary (`GITHUB_STEP_SUMMARY`), the run is added to it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    past = remember(run, folder / "history.jsonl")
    texts = {
        "report.html": page(run, past),
        "results.json": run.model_dump_json(indent=1) + "\n",
        "junit.xml": junit(run),
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    if told := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(told).open("a") as summary:
            summary.write(markdown(run) + "\n")
    return [folder / name for name in texts]
