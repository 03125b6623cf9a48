"""Runs a project's checks against its live stack, as pytest in a separate process.

checked = run(open_project("prod"), severity="high")
checked.good, checked.failed, checked.report
"""

import importlib.util
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from slipway.reports import Reports
from slipway.settings import BadInput, Project

Severity = Literal["critical", "high", "medium", "low"]

KIT_CHECKS = Path(__file__).parents[1] / "checks"
_USAGE_ERROR = 4
"""pytest's own exit code."""


@dataclass(frozen=True)
class Failed:
    """One check that failed; nothing in it is secret."""

    id: str
    host: str
    """Empty: the stack as a whole."""
    reason: str
    remedy: str


@dataclass(frozen=True)
class Checked(Reports):
    """A finished run of the checks, with its reports."""

    code: int
    """0: a check passed and none failed; 1: a check failed, or none passed; 2: bad input."""

    @property
    def good(self) -> bool:
        """Whether a check passed and none failed."""
        return self.code == 0

    @property
    def failed(self) -> list[Failed]:
        """The checks that failed, in the order of the run."""
        return [
            Failed(each["id"], each["host"], each["reason"], each["remedy"])
            for each in self.document.get("results", [])
            if each["verdict"] == "fail"
        ]


def run(
    project: Project,
    *,
    only: Sequence[str] = (),
    severity: Severity = "low",
    hosts: Sequence[str] = (),
    invasive: bool = False,
    patience: float | None = None,
    folder: Path | None = None,
    output: int | IO[str] | None = None,
) -> Checked:
    """Run the checks of `severity` and worse, and wait for their end.

    `output` gets what pytest prints (default: this process's own standard output). Reports go to `folder`,
    by default .slipway/<stack>/checks. Raises BadInput if there are no checks, or no pytest to run them.
    """
    if not all(importlib.util.find_spec(name) for name in ("pytest", "testinfra", "httpx")):
        raise BadInput(
            "pytest, testinfra or httpx is not installed", remedy="uv sync --group checks installs them"
        )
    folder = folder or project.state_dir / "checks"
    Reports(folder).forget()
    argv = [sys.executable, "-m", "pytest", str(find_checks(project)), "-q"]
    argv += ["--stack", project.stack.name, "--severity", severity, "--report-dir", str(folder)]
    argv += [f"--only={each}" for each in only] + [f"--host={each}" for each in hosts]
    argv += ["--invasive"] if invasive else []
    argv += [f"--patience={patience:g}"] if patience is not None else []
    ended = subprocess.run(argv, cwd=project.root, stdout=output, stderr=output, check=False).returncode
    return Checked(folder, {0: 0, _USAGE_ERROR: 2}.get(ended, 1))


def find_checks(project: Project) -> Path:
    """The project's own checks, or slipway's. Raises BadInput if there are neither."""
    for folder in (project.root / "checks", KIT_CHECKS):
        if (folder / "conftest.py").is_file():
            return folder
    raise BadInput(
        f"there is no folder checks/ in {project.root}",
        remedy="copy checks/ from slipway's repository into the project",
    )
