"""Runs a project's checks against its live stack, as pytest in a separate process.

checked = run(open_project("prod"), severity="high")
checked.good, checked.failed, checked.report
"""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from slipway.part import Part
from slipway.reports import Reports
from slipway.settings import BadInput, Project

Severity = Literal["critical", "high", "medium", "low"]

KIT_CHECKS = Path(__file__).parents[1] / "checks"
_CODES = {0: 0, 1: 1, 4: 2}
"""By pytest's exit code, ours; any other means that the run could not be carried through."""
UNTRIED = 5


@dataclass(frozen=True)
class Failed:
    """One check that failed or could not be tried; nothing in it is secret."""

    id: str
    host: str
    """Empty: the stack as a whole."""
    reason: str
    remedy: str


@dataclass(frozen=True)
class Checked(Reports):
    """A finished run of the checks, with its reports."""

    code: int
    """0: good; 1: a check failed; 2: bad input; 5: nothing failed, but something could not be tried."""

    @property
    def good(self) -> bool:
        """Whether a check passed, none failed, and all could be tried."""
        return self.code == 0

    @property
    def failed(self) -> list[Failed]:
        """The checks that failed, in the order of the run."""
        return self._with("fail")

    @property
    def untried(self) -> list[Failed]:
        """The checks that could not be tried, in the order of the run."""
        return self._with("could not be tried")

    def _with(self, verdict: str) -> list[Failed]:
        return [
            Failed(each["id"], each["host"], each["reason"], each["remedy"])
            for each in self.document.get("results", [])
            if each["verdict"] == verdict
        ]


def run(
    project: Project,
    *,
    only: Sequence[str] = (),
    severity: Severity = "low",
    hosts: Sequence[str] = (),
    invasive: bool = False,
    deep: bool = False,
    since_release: bool = False,
    patience: float | None = None,
    seed: int | None = None,
    folder: Path | None = None,
    part: Part | None = None,
    output: int | IO[str] | None = None,
) -> Checked:
    """Run the checks of `severity` and worse, and wait for their end.

    `part`: a preview alone, by the checks that suit one. `output` gets what pytest prints (default: this
    process's own standard output). Reports go to `folder`, by default .slipway/<stack>/checks. Raises
    BadInput if there is no pytest to run them.
    """
    if not all(importlib.util.find_spec(name) for name in ("pytest", "testinfra", "httpx")):
        raise BadInput(
            "pytest, testinfra or httpx is not installed",
            remedy="install slipway again: uv tool install --reinstall slipway; in a clone: uv sync",
        )
    folder = folder or project.state_dir / "checks"
    Reports(folder).forget()
    checks = find_checks(project)
    argv = [sys.executable, "-m", "pytest", *map(str, checks), "-q"]
    # Not the settings of the project's own tests; and locust's plugin would take --host.
    argv += ["-c", os.devnull, "--rootdir", str(project.root), "-p", "no:locust", "-p", "no:cacheprovider"]
    argv += ["--stack", project.stack.name, "--severity", severity, "--report-dir", str(folder)]
    argv += [f"--only={each}" for each in only] + [f"--host={each}" for each in hosts]
    argv += ["--invasive"] * invasive + ["--deep"] * deep
    argv += ["--since-release"] * since_release
    argv += [f"--patience={patience:g}"] if patience is not None else []
    argv += [f"--seed={seed}"] if seed is not None else []
    env = _with_bytecode(os.environ, project.state_dir / "bytecode")
    if checks == [KIT_CHECKS]:
        # The kit's checks say in words what they found: pytest need not rewrite their assertions to show
        # values. Nor do they need other plugins, or the rounds of garbage collection after the last one.
        argv += ["--assert=plain", "-p", "no:unraisableexception"]
        env = {**env, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    with part.handed_over() if part else nullcontext() as given:
        argv += [f"--part={given}"] if given is not None else []
        inherited = () if given is None else (given,)
        ended = subprocess.run(
            argv, cwd=project.root, env=env, stdout=output, stderr=output, check=False, pass_fds=inherited
        ).returncode
    return Checked(folder, _CODES.get(ended, UNTRIED))


def _with_bytecode(env: Mapping[str, str], folder: Path) -> Mapping[str, str]:
    """`env` with a folder of its own for compiled sources, if it forbids them beside the sources.

    Images of containers often do. Compiling everything again in each run takes longer than any check.
    """
    if not env.get("PYTHONDONTWRITEBYTECODE"):
        return env
    kept = {name: value for name, value in env.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {"PYTHONPYCACHEPREFIX": str(folder), **kept}


def watch(
    once: Callable[[], Checked], every: float, say: Callable[[str], None], *, pause: Callable[[float], None]
) -> int:
    """Run the checks again `every` seconds until Ctrl-C, and say what changes; returns the last exit code."""
    code, before = UNTRIED, dict[str, Failed]()
    try:
        while True:
            checked = once()
            code = checked.code
            if code == BadInput.exit_code:
                return code
            now = {f"{each.id}@{each.host}": each for each in (*checked.failed, *checked.untried)}
            say(_in_one_line(checked, now))
            for key, each in now.items():
                if key not in before:
                    where = f" on {each.host}" if each.host else ""
                    say(f"  red    {each.id}{where}: {each.reason}\n         → {each.remedy}")
            for key, each in before.items():
                if key not in now:
                    say(f"  green  {each.id}{f' on {each.host}' if each.host else ''}")
            before = now
            pause(every)
    except KeyboardInterrupt:
        return code


def _in_one_line(checked: Checked, red: Mapping[str, Failed]) -> str:
    when = str(checked.document.get("started", ""))[11:19]
    if not checked.document:
        return "the run left no results"
    release, seconds = checked.document.get("release"), float(checked.document.get("seconds", 0))
    passed = sum(each["verdict"] == "pass" for each in checked.document["results"])
    return f"{when} release {release or 'none'}: {passed} pass, {len(red)} red, in {seconds:.1f} s"


def find_checks(project: Project) -> list[Path]:
    """The folders of checks: the project's own, if it has some, and slipway's. A copy replaces both."""
    own = project.root / "checks"
    if not (own / "conftest.py").is_file():
        return [KIT_CHECKS]
    return [own] if (own / "kit").is_dir() else [own, KIT_CHECKS]
