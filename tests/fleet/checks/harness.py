"""Runs checks against the fleet as `pytest checks/` does, and holds what they say against what was broken."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slipway.reports import Reports
from tests.forked import forked_pytest

CHECKS = Path(__file__).parents[3] / "checks"
LONGEST = 90
"""Seconds of one run."""


@dataclass(frozen=True)
class Found:
    """What one run of checks came to."""

    code: int
    results: tuple[dict[str, Any], ...]
    said: str
    """What was printed."""

    def ids(self, verdict: str) -> set[str]:
        """The checks that came to `verdict` somewhere."""
        return {str(each["id"]) for each in self.results if each["verdict"] == verdict}

    def reason(self, check: str) -> str:
        """Why `check` failed."""
        return next(
            (str(each["reason"]) for each in self.results if each["id"] == check and each["reason"]), ""
        )


@dataclass(frozen=True)
class Case:
    """One sabotage: what is broken, and by whom it must be told."""

    name: str
    broken: Callable[[Any], AbstractContextManager[object]]
    """Of the site: breaks it, and puts it back whatever happens."""
    red: tuple[str, ...]
    """Ids of the checks that must fail; all others that are asked must not."""
    ask: tuple[str, ...] = ()
    """Rows and checks that are run; default: those that must fail."""
    says: str = ""
    """Text in the first one's reason."""
    options: tuple[str, ...] = ()
    """Further options of the run."""
    alone: bool = False
    """Is so much broken that no other check can be asked meanwhile?"""

    def __str__(self) -> str:
        return self.name.replace(" ", "-")


def run_checks(root: Path, *only: str, options: tuple[str, ...] = ()) -> Found:
    """`pytest checks --stack local --only … ` in the project at `root`."""
    folder = root / ".slipway" / "local" / "sabotage"
    reports = Reports(folder)
    reports.forget()
    argv = [str(CHECKS), "-q", "-p", "no:cacheprovider", "--stack", "local", "--report-dir", str(folder)]
    argv += [f"--only={each}" for each in only] + list(options)
    folder.mkdir(parents=True, exist_ok=True)
    code = forked_pytest(argv, root, folder / "said", LONGEST)
    return Found(code, tuple(reports.document.get("results", [])), (folder / "said").read_text())


_mended: set[str] = set()
"""What the case before this one broke: it must be green by now."""


def prove(site: Any, case: Case) -> None:
    """The case's checks are red while it lasts, no other that is asked, and those of the last case are green.

    So each run shows two things, and half of the runs are saved. The last case's are seen by the run of all
    checks at the end.
    """
    before = set[str]() if case.alone else _mended - set(case.red)
    with case.broken(site):
        found = run_checks(site.root, *(case.ask or case.red), *before, options=case.options)
    wrong = {each["id"]: each["reason"] for each in found.results if each["verdict"] == "fail"}
    if not case.alone:
        _mended.clear()
    _mended.update(case.red)
    assert set(wrong) == set(case.red), f"{wrong}\n{found.said}"
    assert found.code == 1, found.said
    assert case.says in wrong[case.red[0]], wrong
    assert before <= found.ids("pass") | found.ids("not evaluated"), found.said
