"""How pytest runs checks: the options, which of them run, what they came to, and where that is written."""

from __future__ import annotations

import time
from collections.abc import Generator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from checks.kit.check import SEVERITIES, check_of
from checks.kit.report import write_reports
from checks.kit.results import Result, Run, result_of
from checks.kit.terminal import show
from checks.kit.verdict import judge
from slipway.errors import SlipwayError
from slipway.live import LiveStack, open_live

LIVE = pytest.StashKey[LiveStack]()
RESULTS = pytest.StashKey[list[Result]]()
BEGAN = pytest.StashKey[tuple[float, datetime]]()


def add_options(parser: pytest.Parser) -> None:
    """`--stack` and what narrows a run."""
    group = parser.getgroup("slipway", "slipway checks")
    group.addoption("--stack", default="local", help="the stack to prove (default: local)")
    group.addoption(
        "--only", action="append", default=[], metavar="ROW", help="only this row or check: X1, X1/hsts-…"
    )
    group.addoption("--severity", choices=SEVERITIES, default="low", help="only these and worse")
    group.addoption("--host", action="append", default=[], dest="only_hosts", help="only this host's checks")
    group.addoption("--invasive", action="store_true", help="also what would disturb users")
    group.addoption(
        "--patience",
        type=float,
        default=15,
        metavar="SECONDS",
        help="longest wait for one thing (default: 15)",
    )
    group.addoption(
        "--report-dir", type=Path, default=None, help="where reports go (default: .slipway/STACK/checks)"
    )


def open_stack(config: pytest.Config) -> LiveStack:
    """The stack that was asked for; a usage error tells what is wrong with it."""
    if LIVE not in config.stash:
        try:
            live = open_live(cast("str", config.getoption("--stack")))
            # A stack that is not up, and secrets that cannot be read, are told before any check is collected.
            _ = live.outputs, live.secrets
        except SlipwayError as error:
            remedy = f"\nremedy: {error.remedy}" if error.remedy else ""
            raise pytest.UsageError(f"{error.message}{remedy}") from None
        config.stash[LIVE] = live
    return config.stash[LIVE]


def select(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves those that `--only`, `--severity` and `--host` ask for."""
    only = [word.lower() for word in cast("list[str]", config.getoption("--only"))]
    worst = SEVERITIES.index(cast("Any", config.getoption("--severity")))
    hosts = cast("list[str]", config.getoption("only_hosts"))
    kept: list[pytest.Item] = []
    for item in items:
        check = check_of(item)
        if check is None:
            continue
        names = {row.lower() for row in check.rows} | {check.id.lower()}
        wanted = not only or any(word in names for word in only)
        if wanted and SEVERITIES.index(check.severity) <= worst and (not hosts or host_of(item) in hosts):
            kept.append(item)
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


def host_of(item: pytest.Item) -> str:
    """Name of the host that `item` is run on; empty for one of the stack as a whole."""
    spec = getattr(item, "callspec", None)
    return str(spec.params.get("host_name", "")) if spec else ""


class Verdicts:
    """Collects what every check came to, with each secret blotted out, and writes the reports at the end."""

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, Any]:
        """Turns what pytest says into a verdict."""
        outcome = yield
        report: pytest.TestReport = outcome.get_result()
        check = check_of(item)
        if check is None:
            return
        live = item.config.stash[LIVE]
        report.sections = [(name, live.hidden(text)) for name, text in report.sections]
        if report.when == "teardown" and report.passed:
            return
        if report.when == "setup" and report.passed:
            return
        error = call.excinfo.value if call.excinfo else None
        verdict, reason = judge(report.outcome, error, required=check.required)
        if verdict == "fail":
            reason = live.hidden(reason or _said(error, report))
            report.outcome = "failed"
            report.longrepr = f"{check.id}: {reason}\n  why: {check.why}\n  remedy: {check.remedy}"
        results = item.config.stash.setdefault(RESULTS, [])
        results.append(
            result_of(check, verdict, host=host_of(item), reason=live.hidden(reason), seconds=call.duration)
        )

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Notes the time."""
        session.config.stash[BEGAN] = (time.monotonic(), datetime.now(UTC))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Writes and shows what was found."""
        config = session.config
        if LIVE not in config.stash or RESULTS not in config.stash:
            return
        live = config.stash[LIVE]
        began, started = config.stash[BEGAN]
        run = Run(
            stack=live.name,
            url=live.url,
            release=_release(live),
            started=started,
            seconds=round(time.monotonic() - began, 2),
            results=config.stash[RESULTS],
        )
        folder = cast("Path | None", config.getoption("--report-dir")) or live.state_dir / "checks"
        paths = write_reports(run, folder)
        show(run, paths)


def _said(error: BaseException | None, report: pytest.TestReport) -> str:
    """What the check said went wrong: its assertion's own words, or the accident's type and text."""
    if isinstance(error, AssertionError):
        return str(error) or report.longreprtext
    if isinstance(error, pytest.fail.Exception):
        return str(error.msg)
    return f"{type(error).__name__}: {error}" if error else report.longreprtext


def _release(live: LiveStack) -> int | None:
    try:
        head = live.opened.ledger.head()
    except SlipwayError:
        return None
    return head.live if head else None
