"""How pytest runs checks: the options, which of them run, their verdicts, and where these are written."""

from __future__ import annotations

import argparse
import difflib
import re
import time
from collections.abc import Callable, Collection, Generator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from checks.kit.background import Background, is_idle
from checks.kit.check import SEVERITIES, Check, NotEvaluated, Severity, check_of, why_not
from checks.kit.in_turn import only_reads_a_host
from checks.kit.needs import suits, undeclared
from checks.kit.report import show, write_reports
from checks.kit.results import Result, Run, compared, history, result_of
from checks.kit.roots import ROOTS as ROOT_IDS, SITE, Roots, stand_on
from checks.kit.verdicts import judge, reason_of, weigh
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
ROOTS = pytest.StashKey[Roots]()
SEEN = pytest.StashKey[dict[int, tuple[BaseException, str]]]()
"""By identity of an error, the check that failed for it: fixtures and trials that checks share raise the same
one. It is kept, so that no other gets its identity."""
RESULTS = pytest.StashKey[dict[str, Result]]()
"""By pytest's node id, so that each check counts once, whichever of its phases failed."""
BEGAN = pytest.StashKey[tuple[float, datetime]]()


def add_options(parser: pytest.Parser, host: str = "--host") -> None:
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
        host, action="append", default=[], dest="only_hosts", help="run only the checks on this host"
    )
    group.addoption("--invasive", action="store_true", help="also run the checks that would disturb users")
    group.addoption(
        "--deep",
        action="store_true",
        help="also run the checks that take long or send very many requests; in production with --invasive",
    )
    group.addoption(
        "--since-release",
        action="store_true",
        help="failures that the release before had too do not count",
    )
    group.addoption(
        "--patience",
        type=float,
        default=15,
        metavar="SECONDS",
        help="longest wait of one check (default: 15)",
    )
    group.addoption(
        "--seed",
        type=int,
        default=None,
        metavar="NUMBER",
        help="send the random requests of --deep again that a failure names the seed of",
    )
    group.addoption("--part", type=int, default=None, help=argparse.SUPPRESS)
    group.addoption(
        "--report-dir", type=Path, default=None, help="folder of the reports (default: .slipway/STACK/checks)"
    )


def open_stack(config: pytest.Config) -> LiveStack:
    """The stack of `--stack`, opened once. UsageError: it is not up, or its secrets cannot be read."""
    if LIVE not in config.stash:
        try:
            live = open_live(*cast("Any", map(config.getoption, ("--stack", "--part"))))
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
    problem = choice.problem(checks, [host.name for host in live.outputs.hosts])
    if problem := problem or waived_in_vain(live.app.checks.accepted, checks):
        raise pytest.UsageError(problem)
    asked = [item for item in items if (check := check_of(item)) and choice.takes(check, host_of(item))]
    kept = [item for item in asked if suits(cast("Any", check_of(item)), function_of(item), live)]
    selected = set(kept)
    config.hook.pytest_deselected(items=[item for item in items if item not in selected])
    items[:] = sorted(kept, key=_when)


def waived_in_vain(accepted: Collection[str], checks: Collection[Check]) -> str:
    """Which check that `checks.accepted` names does not exist; empty if all do, or not all were collected."""
    known = [check.id for check in checks]
    for name in accepted:
        if known and name not in known and not is_part(checks):
            return f"slipway.toml checks.accepted: there is no check {name!r}{_similar(name, known)}"
    return ""


def is_part(checks: Collection[Check]) -> bool:
    """Whether only some of the checks' files were collected: `pytest checks/exposed`."""
    return not {*ROOT_IDS} <= {check.id for check in checks}


def why_not_now(config: pytest.Config, check: Check) -> str:
    """Why `check` does not run: what it is for is not declared, or no option allows it; empty if it runs."""
    live = open_stack(config)
    return undeclared(check, live) or why_not(
        check,
        deep=bool(config.getoption("--deep")),
        invasive=bool(config.getoption("--invasive")),
        production=live.stack.purpose == "production",
    )


def _when(item: pytest.Item) -> tuple[int, int]:
    """Roots first; then what waits for no trial; then what spends this machine's budget, and all of it.

    Last what waits for time to pass: meanwhile all others have run.
    """
    check = check_of(item)
    if check is None:
        return 1, 0
    if check.id in ROOT_IDS:
        return 0, ROOT_IDS.index(check.id)
    if is_idle(check.waits_for):
        return 5, 0
    if check.spends != "nothing":
        return (3 if check.spends == "some" else 4), 0
    return (2 if check.waits_for or check.ahead or only_reads_a_host(item) else 1), 0


def function_of(item: pytest.Item) -> Callable[..., object]:
    """The test function that `item` runs."""
    return cast("Any", item).function


class Verdicts:
    """The pytest plugin that collects verdicts, redacts every secret, and writes the reports at the end."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Run nothing that is not declared or not allowed, and nothing on a site that is down by now."""
        check = check_of(item)
        if check and (reason := why_not_now(item.config, check)):
            raise NotEvaluated(reason)
        roots = item.config.stash.get(ROOTS, None)
        if roots and "site" in getattr(item, "fixturenames", ()):
            stand_on(roots.known(SITE))

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> bool | None:
        """Take the result of a check that ran ahead; it raises what the check raised."""
        check = check_of(pyfuncitem)
        if check is None:
            return None
        background = cast("Background", pyfuncitem.funcargs["background"])
        if begun := background.begun(pyfuncitem.nodeid):
            begun.result()
            return True
        if check.ahead:
            background.result(function_of(pyfuncitem))
            return True
        return None

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
        verdict, reason = judge(report.outcome, error, required=check.required, when=report.when or "call")
        reason = reason or (reason_of(error, report.longreprtext) if verdict == "fail" else "")
        roots = item.config.stash.get(ROOTS, None)
        if verdict in ("fail", "could not be tried") and roots and (problem := roots.after(error)):
            verdict, reason = "could not be tried", f"{problem.what} (see {problem.cause})"
        elif verdict == "fail" and roots and (problem := roots.first_broken(check.stands_on)):
            verdict, reason = "could not be tried", f"{reason}: {problem.what} (see {problem.cause})"
        if verdict == "fail" and error is not None:
            _, first = item.config.stash.setdefault(SEEN, {}).setdefault(id(error), (error, check.id))
            if first != check.id:
                verdict, reason = "could not be tried", f"{reason} (see {first})"
        verdict, reason = weigh(check, verdict, reason, live.app.checks.waivers, datetime.now(UTC).date())
        reason = live.redact(reason)
        if verdict == "fail":
            report.outcome = "failed"
            report.longrepr = f"{check.id}: {reason}\n  why: {check.why}\n  remedy: {check.remedy}"
        elif verdict != "pass":
            report.outcome = "skipped"
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
        """Write the reports and print the results.

        Exit code 1: a check failed. 5, pytest's own for a run without tests: nothing failed, but something
        could not be tried, or nothing passed.
        """
        config = session.config
        if LIVE not in config.stash or config.getoption("collectonly"):
            return
        if session.exitstatus in (pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.INTERNAL_ERROR):
            return
        live = config.stash[LIVE]
        began, started = config.stash[BEGAN]
        folder = cast("Path | None", config.getoption("--report-dir")) or live.state_dir / "checks"
        made = Run(
            stack=live.name,
            url=live.url,
            release=_release(live),
            started=started,
            seconds=round(time.monotonic() - began, 2),
            results=followed(
                blame(list(config.stash.setdefault(RESULTS, {}).values()), config.stash.get(ROOTS, None))
            ),
            selection=_selection(config),
            settings=live.settings_path,
        )
        run = compared(made, history(folder), since_release=bool(config.getoption("--since-release")))
        show(run, write_reports(run, folder))
        if session.exitstatus in (
            pytest.ExitCode.OK,
            pytest.ExitCode.TESTS_FAILED,
            pytest.ExitCode.NO_TESTS_COLLECTED,
        ):
            session.exitstatus = exit_code(run)


def exit_code(run: Run) -> pytest.ExitCode:
    """What a finished run ends with. Pure."""
    if run.counting:
        return pytest.ExitCode.TESTS_FAILED
    return pytest.ExitCode.OK if run.good else pytest.ExitCode.NO_TESTS_COLLECTED


def blame(results: Sequence[Result], roots: Roots | None) -> list[Result]:
    """The results, with a failure for each root that passed its check and broke later in the run."""
    broke = {problem.cause: problem.what for problem in roots.broken} if roots else {}
    return [
        each.model_copy(update={"verdict": "fail", "reason": f"{broke[each.id]}; earlier in this run it did"})
        if each.verdict == "pass" and each.id in broke
        else each
        for each in results
    ]


def followed(results: Sequence[Result]) -> list[Result]:
    """The results; one that could not be tried names the failure, if the check that it names has one itself.

    Pure.
    """
    causes = {
        each.id: cause[1]
        for each in results
        if each.verdict == "could not be tried" and (cause := _CAUSE.search(each.reason))
    }
    failed = {each.id for each in results if each.verdict == "fail"}

    def last(check: str) -> str:
        seen = {check}
        while check not in failed and (cause := causes.get(check)) and cause not in seen:
            seen.add(check := cause)
        return check

    return [
        each.model_copy(update={"reason": _CAUSE.sub(f"(see {last(causes[each.id])})", each.reason)})
        if each.verdict == "could not be tried" and each.id in causes
        else each
        for each in results
    ]


_CAUSE = re.compile(r"\(see ([A-Z]+\d+/[\w-]+)\)$")
"""How the reason of a check that could not be tried ends."""


def _release(live: LiveStack) -> int | None:
    try:
        return live.release
    except SlipwayError:
        return None


def _selection(config: pytest.Config) -> str:
    """The options that narrow or widen a run, in one text: only runs of the same are compared."""
    given = [f"--only {each}" for each in cast("list[str]", config.getoption("--only"))]
    given += [f"--host {each}" for each in cast("list[str]", config.getoption("only_hosts"))]
    severity = str(config.getoption("--severity"))
    given += [f"--severity {severity}"] if severity != "low" else []
    given += [option for option in ("--invasive", "--deep") if config.getoption(option)]
    return " ".join(sorted(given))
