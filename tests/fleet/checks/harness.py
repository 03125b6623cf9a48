"""Runs checks against the fleet as `pytest checks/` does, each time in a fresh process that is quick to come.

A run costs seconds of imports and a fraction of a second of checking. So the processes are forked from one
that has imported everything but the checks themselves.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHECKS = Path(__file__).parents[3] / "checks"
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    [
        *("pytest", "httpx", "websocket", "psycopg", "redis", "testinfra.host", "jinja2", "rich.console"),
        *("cryptography.x509", "slipway.live", "slipway.session", "slipway.pipeline.open"),
        *("slipway.build.manifest", "slipway.secrets.env_example"),
        *("checks.kit.plugin", "checks.kit.person", "checks.data.services"),
    ]
)
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
    (folder / "results.json").unlink(missing_ok=True)
    argv = [str(CHECKS), "-q", "-p", "no:cacheprovider", "--stack", "local", "--report-dir", str(folder)]
    argv += [f"--only={each}" for each in only] + list(options)
    folder.mkdir(parents=True, exist_ok=True)
    process = _CONTEXT.Process(target=_pytest, args=(argv, root, folder / "said", dict(os.environ)))
    process.start()
    process.join(LONGEST)
    if process.exitcode is None:
        process.kill()
        process.join()
        raise AssertionError(f"checks {', '.join(only)} took more than {LONGEST} s")
    file = folder / "results.json"
    results: list[dict[str, Any]] = json.loads(file.read_text())["results"] if file.exists() else []
    return Found(process.exitcode, tuple(results), (folder / "said").read_text())


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


def _pytest(argv: list[str], root: Path, said: Path, env: dict[str, str]) -> None:
    """In the forked process: one run, its output in a file."""
    os.chdir(root)
    os.environ.clear()
    os.environ.update(env)
    with said.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        import pytest  # noqa: PLC0415 - imported already where this was forked from

        code = int(pytest.main(argv))
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)
