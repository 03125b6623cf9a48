"""The reports of a load run: HTML for people, JSON for machines, JUnit and a summary for CI, the history."""

import json
from pathlib import Path

from slipway.reports import add_to_ci_summary, write_whole
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
    write_whole(folder / "results.json", run.model_dump_json(indent=1) + "\n")
    write_whole(folder / "samples.json", json.dumps(samples.to_json(), separators=(",", ":")) + "\n")
    past = remember(run, folder / "history.jsonl")
    summary = markdown(run, past)
    written = [
        write_whole(folder / "report.html", page(run, past)),
        folder / "results.json",
        write_whole(folder / "junit.xml", junit(run)),
        write_whole(folder / "summary.md", summary),
    ]
    add_to_ci_summary(summary)
    return written
