"""How pytest runs checks: the options, which of them run, their verdicts, and where these are written."""

from __future__ import annotations

import difflib
import time
from collections.abc import Collection, Generator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from checks.kit.check import SEVERITIES, Check, Severity, check_of, judge
from checks.kit.report import show, write_reports
from checks.kit.results import Result, Run, result_of
from slipway.stack import LiveStack, SlipwayError, open_live


@dataclass(frozen=True)
class Choice:
    """What `--only`, `--severity` and `--host` select. Empty means all."""

    only: tuple[str, ...] = ()
    """Rows (`X1`), ids (`X1/hsts-covers-a-year`) or the beginning of an id; commas separate several."""
    severity: Severity = "low"
    """The mildest severity that runs."""
    hosts: tuple[str, ...] = ()
    """Names of hosts: only the checks on these run."""

    @property
    def words(self) -> list[str]:
        """The rows and ids of `only`, one by one, in lower case."""
        return [word.strip().lower() for each in self.only for word in each.split(",") if word.strip()]

    def takes(self, check: Check, host: str) -> bool:
        """Whether `check` on `host` (empty: on the stack as a whole) runs."""
        wanted = not self.words or any(_names(word, check) for word in self.words)
        bad_enough = SEVERITIES.index(check.severity) <= SEVERITIES.index(self.severity)
        return wanted and bad_enough and (not self.hosts or host in self.hosts)

    def problem(self, checks: Sequence[Check], hosts: Collection[str]) -> str:
        """Which row, check or host does not exist, with similar names; empty if all exist."""
        for word in self.words:
            if not any(_names(word, check) for check in checks):
                known = sorted(
                    {row for check in checks for row in check.rows} | {check.id for check in checks}
                )
                return f"--only: there is no row and no check {word!r}{_similar(word, known)}"
        for host in self.hosts:
            if host not in hosts:
                return f"--host: the stack has no host {host!r}; it has {', '.join(hosts)}"
        return ""


def host_of(item: pytest.Item) -> str:
    """Name of the host that `item` runs on; empty for a check of the stack as a whole."""
    spec = getattr(item, "callspec", None)
    return str(spec.params.get("host", "")) if spec else ""


def _names(word: str, check: Check) -> bool:
    if "/" in word:
        return check.id.lower().startswith(word)
    return word in (row.lower() for row in check.rows)


def _similar(word: str, known: Sequence[str]) -> str:
    by_lower = {name.lower(): name for name in known}
    found = [by_lower[name] for name in difflib.get_close_matches(word, by_lower, n=3, cutoff=0.5)]
    if not found:
        found = [name for name in known if "/" not in name]
    return f"; did you mean {', '.join(found)}?" if len(found) <= 3 else f"; rows: {', '.join(found)}"


LIVE = pytest.StashKey[LiveStack]()
RESULTS = pytest.StashKey[dict[str, Result]]()
"""By pytest's node id, so that each check counts once, whichever of its phases failed."""
BEGAN = pytest.StashKey[tuple[float, datetime]]()


def add_options(parser: pytest.Parser) -> None:
    group = parser.getgroup("slipway", "slipway checks")
    group.addoption("--stack", default="local", help="the stack to prove (default: local)")
    group.addoption(
        "--only",
        action="append",
        default=[],
        metavar="ROW",
        help="run only these rows or checks: X1,I4 or X1/hsts-…",
    )
    group.addoption(
        "--severity", choices=SEVERITIES, default="low", help="run only checks of this severity or worse"
    )
    group.addoption(
        "--host", action="append", default=[], dest="only_hosts", help="run only the checks on this host"
    )
    group.addoption("--invasive", action="store_true", help="also run the checks that would disturb users")
    group.addoption(
        "--patience",
        type=float,
        default=15,
        metavar="SECONDS",
        help="longest wait of one check (default: 15)",
    )
    group.addoption(
        "--report-dir", type=Path, default=None, help="folder of the reports (default: .slipway/STACK/checks)"
    )


def open_stack(config: pytest.Config) -> LiveStack:
    """The stack of `--stack`, opened once. UsageError: it is not up, or its secrets cannot be read."""
    if LIVE not in config.stash:
        try:
            live = open_live(cast("str", config.getoption("--stack")))
            # Read both now, so that an error comes before any check is collected.
            _ = live.outputs, live.secrets
        except SlipwayError as error:
            remedy = f"\nremedy: {error.remedy}" if error.remedy else ""
            raise pytest.UsageError(f"{error.message}{remedy}") from None
        config.stash[LIVE] = live
    return config.stash[LIVE]


def select(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the checks that the options select, those that wait for a trial last.

    Raises UsageError if an option names a row, check or host that does not exist.
    """
    live = open_stack(config)
    choice = Choice(
        only=tuple(cast("list[str]", config.getoption("--only"))),
        severity=cast("Any", config.getoption("--severity")),
        hosts=tuple(cast("list[str]", config.getoption("only_hosts"))),
    )
    checks = [check for item in items if (check := check_of(item))]
    if problem := choice.problem(checks, [host.name for host in live.outputs.hosts]):
        raise pytest.UsageError(problem)
    kept = [item for item in items if (check := check_of(item)) and choice.takes(check, host_of(item))]
    selected = set(kept)
    config.hook.pytest_deselected(items=[item for item in items if item not in selected])
    items[:] = sorted(kept, key=_waits)


def _waits(item: pytest.Item) -> bool:
    check = check_of(item)
    return bool(check and check.waits_for)


class Verdicts:
    """The pytest plugin that collects verdicts, redacts every secret, and writes the reports at the end."""

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, Any]:
        """Turn pytest's report of a phase into a verdict."""
        outcome = yield
        report: pytest.TestReport = outcome.get_result()
        check = check_of(item)
        if check is None:
            return
        live = item.config.stash[LIVE]
        report.sections = [(name, live.redact(text)) for name, text in report.sections]
        if report.when != "call" and report.passed:
            return
        error = call.excinfo.value if call.excinfo else None
        verdict, reason = judge(report.outcome, error, required=check.required)
        reason = live.redact(reason or (reason_of(error, report.longreprtext) if verdict == "fail" else ""))
        if verdict == "fail":
            report.outcome = "failed"
            report.longrepr = f"{check.id}: {reason}\n  why: {check.why}\n  remedy: {check.remedy}"
        elif report.skipped:
            report.longrepr = (str(item.path), 0, f"{verdict}: {reason}")
        item.config.stash.setdefault(RESULTS, {})[item.nodeid] = result_of(
            check, verdict, host=host_of(item), reason=reason, seconds=call.duration
        )

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Note the time, and switch pytest's own summaries off unless an option asks for them."""
        config = session.config
        config.stash[BEGAN] = (time.monotonic(), datetime.now(UTC))
        arguments = [str(argument) for argument in config.invocation_params.args]
        if not any(argument.startswith("--tb") for argument in arguments):
            config.option.tbstyle = "no"
        if not any(argument.startswith("-r") for argument in arguments):
            reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
            if reporter is not None:
                reporter.reportchars = ""

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the reports and print the results. A run in which nothing passed has failed."""
        config = session.config
        if LIVE not in config.stash or config.getoption("collectonly"):
            return
        if session.exitstatus in (pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.INTERNAL_ERROR):
            return
        live = config.stash[LIVE]
        began, started = config.stash[BEGAN]
        run = Run(
            stack=live.name,
            url=live.url,
            release=_release(live),
            started=started,
            seconds=round(time.monotonic() - began, 2),
            results=list(config.stash.setdefault(RESULTS, {}).values()),
        )
        folder = cast("Path | None", config.getoption("--report-dir")) or live.state_dir / "checks"
        show(run, write_reports(run, folder))
        if not run.good and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def reason_of(error: BaseException | None, otherwise: str) -> str:
    """Why a check failed: its assertion's message, or the type and text of another exception. Pure."""
    if isinstance(error, AssertionError):
        # pytest appends the compared values, shortened: redaction would not find a secret in them.
        words, _, _ = str(error).partition("\nassert ")
        return words.strip() or otherwise
    if isinstance(error, pytest.fail.Exception):
        return str(error.msg)
    return f"{type(error).__name__}: {error}" if error else otherwise


def _release(live: LiveStack) -> int | None:
    try:
        return live.release
    except SlipwayError:
        return None
