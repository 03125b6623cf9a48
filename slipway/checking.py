"""Runs the project's checks against its live stack: pytest in a process of its own.

checked = run(open_project("prod"), severity="high")
checked.good, checked.failed, checked.report
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from slipway.reports import Reports
from slipway.settings.errors import BadInput
from slipway.settings.project import Project

Severity = Literal["critical", "high", "medium", "low"]

OF_THE_KIT = Path(__file__).parents[1] / "checks"
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
    """What a run of the checks came to."""

    code: int
    """0: something was proved, and nothing failed; 1: a check failed, or nothing was proved; 2: bad input."""

    @property
    def good(self) -> bool:
        """Was something proved, and did nothing fail?"""
        return self.code == 0

    @property
    def failed(self) -> list[Failed]:
        """The checks that failed, as they were run."""
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
    """Runs the checks of `severity` and worse, and waits for their end.

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
    """The project's own checks, or those that came with slipway. Raises BadInput if there are neither."""
    for folder in (project.root / "checks", OF_THE_KIT):
        if (folder / "conftest.py").is_file():
            return folder
    raise BadInput(
        f"there is no folder checks/ in {project.root}",
        remedy="copy checks/ from slipway's repository into the project",
    )
