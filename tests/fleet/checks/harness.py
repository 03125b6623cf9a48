"""Runs checks against the fleet as `pytest checks/` does, and compares their results with what was broken."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slipway.reports import Reports
from tests.fleet.checks.breaking import run_failed_cron_again
from tests.forked import forked_pytest

CHECKS = Path(__file__).parents[3] / "checks"
LONGEST = 300
"""Seconds of one run, also on a machine that does much else: no more than a guard against one that hangs."""


@dataclass(frozen=True)
class Found:
    """The results of one run of checks."""

    code: int
    results: tuple[dict[str, Any], ...]
    said: str
    """What was printed."""

    def ids(self, verdict: str) -> set[str]:
        """The checks that have `verdict` on some host."""
        return {str(each["id"]) for each in self.results if each["verdict"] == verdict}

    def reason(self, check: str) -> str:
        """Why `check` failed."""
        return next(
            (str(each["reason"]) for each in self.results if each["id"] == check and each["reason"]), ""
        )


@dataclass(frozen=True)
class Case:
    """One sabotage: what is broken, and which checks must fail."""

    name: str
    broken: Callable[[Any], AbstractContextManager[object]]
    """Breaks the site that it gets, and undoes it whatever happens."""
    red: tuple[str, ...]
    """Ids of the checks that must fail; all others that run must not."""
    run: tuple[str, ...] = ()
    """Rows and checks that run; default: those that must fail."""
    untried: tuple[str, ...] = ()
    """Ids of checks that stand on what is broken: they could not be tried, and have not failed."""
    says: str = ""
    """Text in the first one's reason."""
    options: tuple[str, ...] = ()
    """Further options of the run."""
    alone: bool = False
    """Whether so much is broken that no other check can run meanwhile."""

    def __str__(self) -> str:
        return self.name.replace(" ", "-")

    @contextmanager
    def at(self, site: Any) -> Generator[None]:
        """The sabotage of `site`. Cron entries that came due meanwhile and failed run again afterwards."""
        try:
            with self.broken(site):
                yield
        finally:
            run_failed_cron_again(site)


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


_undone: set[str] = set()
"""Checks that the previous case made fail: they must pass by now."""


def prove(site: Any, case: Case) -> None:
    """The case's checks fail while it lasts, no others that run do, and the previous case's pass again.

    So each run shows two things, which saves half of the runs. The run of all checks at the end shows that
    those of the last case pass.
    """
    before = set[str]() if case.alone else _undone - {*case.red, *case.untried}
    with case.at(site):
        found = run_checks(site.root, *(case.run or case.red), *before, options=case.options)
    wrong = {each["id"]: each["reason"] for each in found.results if each["verdict"] == "fail"}
    if not case.alone:
        _undone.clear()
    _undone.update(case.red)
    assert set(wrong) == set(case.red), f"{wrong}\n{found.said}"
    assert {*case.untried} <= found.ids("could not be tried"), found.said
    assert found.code == 1, found.said
    assert case.says in wrong[case.red[0]], wrong
    assert before <= found.ids("pass") | found.ids("not evaluated"), found.said
