"""How is a run of checks or a load test reported? One HTML page, JSON, JUnit, a CI summary and a history.

What a report says is its owner's: `checks/kit/report.py` for checks, `slipway/traffic` for load tests. This
room has what both formats share.
"""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar, cast
from xml.etree import ElementTree as Xml

from pydantic import BaseModel, ValidationError

from slipway.settings import printable

__all__ = [
    "Case",
    "Reports",
    "add_run",
    "add_to_ci_summary",
    "cell",
    "junit",
    "printable",
    "read_runs",
    "render",
    "row",
    "write_whole",
]

_STYLE = Path(__file__).with_name("style.css")


@dataclass(frozen=True)
class Reports:
    """The folder that a run leaves its reports in; nothing in them is secret."""

    folder: Path
    """Where report.html, results.json, junit.xml and history.jsonl are."""

    def forget(self) -> None:
        """Delete the results of an earlier run, so that they are never taken for those of the next one."""
        self._results.unlink(missing_ok=True)

    @property
    def report(self) -> Path:
        return self.folder / "report.html"

    @cached_property
    def document(self) -> dict[str, Any]:
        """results.json: stack, url, release, started, seconds and the results. Empty if nothing could run."""
        file = self._results
        return cast("dict[str, Any]", json.loads(file.read_text())) if file.exists() else {}

    @property
    def _results(self) -> Path:
        return self.folder / "results.json"


def render(template: Path, filters: Mapping[str, Any], **values: object) -> str:
    """The HTML text of a Jinja2 `template`, which gets the shared style sheet as `style`."""
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415 - slow; commands without a report import this
    from markupsafe import Markup  # noqa: PLC0415

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(filters)
    style = Markup(_STYLE.read_text())  # noqa: S704 - a file of ours
    return environment.from_string(template.read_text()).render(style=style, **values)


@dataclass(frozen=True)
class Case:
    """One test case of a JUnit report. Without `failure`, `error` and `skipped` it passed."""

    classname: str
    name: str
    seconds: float = 0.0
    failure: str = ""
    """Its first line is the message."""
    skipped: str = ""
    error: str = ""
    """Why the case could not be tried."""
    details: str = ""
    """More lines for the body of a failure."""


def junit(name: str, started: datetime, seconds: float, cases: Iterable[Case]) -> str:
    """A run as JUnit XML: one suite called `name`."""
    listed = list(cases)
    suite = Xml.Element(
        "testsuite",
        name=name,
        timestamp=started.isoformat(timespec="seconds"),
        time=f"{seconds:.3f}",
        tests=str(len(listed)),
        failures=str(sum(bool(case.failure) for case in listed)),
        skipped=str(sum(bool(case.skipped) and not case.error for case in listed)),
        errors=str(sum(bool(case.error) for case in listed)),
    )
    for case in listed:
        element = Xml.SubElement(
            suite, "testcase", classname=case.classname, name=case.name, time=f"{case.seconds:.3f}"
        )
        if case.failure:
            failure = Xml.SubElement(element, "failure", message=case.failure.partition("\n")[0])
            failure.text = f"{case.failure}\n{case.details}".strip()
        elif case.error:
            Xml.SubElement(element, "error", message=case.error.partition("\n")[0])
        elif case.skipped:
            Xml.SubElement(element, "skipped", message=case.skipped)
    return Xml.tostring(suite, encoding="unicode", xml_declaration=True)


def cell(text: str) -> str:
    """`text` from outside, escaped for a Markdown table: it cannot end the cell, and is no markup."""
    flat = " ".join(text.split())
    for sign in "\\`*_[]|":
        flat = flat.replace(sign, f"\\{sign}")
    return flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def row(*cells: str) -> str:
    """One row of a Markdown table; its cells are escaped already."""
    return f"| {' | '.join(cells)} |"


def add_to_ci_summary(text: str) -> None:
    """Add `text` to the page of the CI job, if there is one (`GITHUB_STEP_SUMMARY`)."""
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(summary).open("a") as file:
            file.write(text + "\n")


Past = TypeVar("Past", bound=BaseModel)


def read_runs(file: Path, model: type[Past]) -> list[Past]:
    """All runs in the history `file`, oldest first. Lines that cannot be parsed are left out."""
    found: list[Past] = []
    for line in file.read_text().splitlines() if file.exists() else []:
        try:
            found.append(model.model_validate_json(line))
        except ValidationError:
            continue
    return found


def add_run(file: Path, run: Past, *, kept: int) -> list[Past]:
    """Add `run` to the history `file`, keep the newest `kept` runs, and return them, oldest first."""
    past = [*read_runs(file, type(run)), run][-kept:]
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, "".join(f"{each.model_dump_json()}\n" for each in past))
    return past


def write_whole(file: Path, text: str) -> Path:
    """Write `file` in one step: a reader never sees half of a report, and a kill leaves the old one."""
    fresh = file.with_name(f"{file.name}.{os.getpid()}.new")
    fresh.write_text(text)
    fresh.replace(file)
    return file
