"""Set up every host of a fleet by its plan, all at once; hosts that are set up already are skipped."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from hosts.agent.redact import Redactor, spellings
from hosts.inventory.look import look_at_all, run_on
from hosts.inventory.parts import Inventory
from hosts.plan import APPLIED, SETUP_DIGEST, FleetPlan
from slipway.settings import Host, SlipwayError

if TYPE_CHECKING:
    from hosts.run import Result

AT_ONCE = 8
"""Child processes at a time; each needs some 60 MB here."""

Report = Callable[[str, str], None]
"""Called with a host's name and what it is doing."""


class Progress(Protocol):
    """The part of slipway.progress that is needed here."""

    def host(self, host: str, text: str) -> None:
        """Report what `host` is doing."""
        ...


def set_up(
    plan: FleetPlan,
    progress: Progress | None = None,
    digests: Mapping[str, str] | None = None,
    inventories: Mapping[str, Inventory] | None = None,
) -> dict[str, list[str]]:
    """Host name to the names of the operations that changed it; empty if it was right already.

    `digests`: those of `setup_digests`, if the caller has them: only a stale host then needs pyinfra.
    `inventories`: with them, a host that was changed since its set-up is stale as well.
    Raises SlipwayError with one block per failed host: the operation and the last lines it wrote, redacted.
    A host that failed keeps its old digest and is set up again by the next call.
    """
    report = progress.host if progress else _ignore
    if digests is None:
        from hosts.digest import setup_digests  # noqa: PLC0415 - pyinfra takes long to import

        digests = setup_digests(plan)
    found = _digests_on_hosts(plan)
    current = {name for name, digest in found.items() if digest == digests.get(name)}
    before = {name for name, digest in found.items() if digest}
    changed = _changed_since(plan, inventories or {}, before, current, report)
    stale = [
        host
        for host in plan.outputs.hosts
        if found.get(host.name) != digests[host.name] or host.name in changed
    ]
    for host in plan.outputs.hosts:
        report(host.name, "setting up" if host in stale else "set up already")
    results: dict[str, Result] = {}
    for wave in _waves(plan, stale):
        results |= _set_up(plan, wave, digests, report)
        if any(result.failed for result in results.values()):
            break
    failed = {name: result for name, result in results.items() if result.failed}
    if failed:
        raise _failure(plan, failed)
    return {
        host.name: list(results[host.name].changed) if host.name in results else []
        for host in plan.outputs.hosts
    }


def _waves(plan: FleetPlan, stale: Sequence[Host]) -> list[list[Host]]:
    """All at once; with TLS to web hosts edges come last: what they turn to has to listen before."""
    if not plan.tls_to_web:
        return [list(stale)]
    edges = [host for host in stale if host.is_any("edge")]
    return [[host for host in stale if not host.is_any("edge")], edges]


def _changed_since(
    plan: FleetPlan,
    inventories: Mapping[str, Inventory],
    hosts: Collection[str],
    current: Collection[str],
    report: Report,
) -> set[str]:
    """Those of `hosts` that differ from their inventory in what a set-up repairs; the rest is reported.

    `current`: those that were set up by these settings: what differs there was changed by another hand.

    The handlers of what was changed run again: to them a file that is put back looks as it was.
    """
    known = {name: each for name, each in inventories.items() if name in hosts}
    found, _ = look_at_all(plan.outputs, known)
    for name, deviations in found.items():
        wrong = {path for each in deviations if each.repaired for path in each.files}
        records = [record for record, files in inventories[name].handlers.items() if wrong & {*files}]
        if records:
            forget = ["rm", "-f", *(f"{APPLIED}/{record}" for record in records)]
            run_on(plan.outputs, plan.outputs.host(name), forget, "")
        for each in deviations:
            if not each.repaired:
                report(name, f"not of its set-up: {each}")
            elif name in current:
                report(name, f"changed since its set-up: {each}")
    return {name for name, deviations in found.items() if any(each.repaired for each in deviations)}


def _digests_on_hosts(plan: FleetPlan) -> dict[str, str]:
    """One cheap command a host, as root, over the kept connection; one that does not answer has no digest."""

    def ask(host: Host) -> tuple[str, str]:
        return host.name, run_on(plan.outputs, host, ["cat", SETUP_DIGEST], "").stdout.strip()

    with ThreadPoolExecutor(max_workers=16) as pool:
        return dict(pool.map(ask, plan.outputs.hosts))


def _set_up(
    plan: FleetPlan, stale: Sequence[Host], digests: Mapping[str, str], report: Report
) -> dict[str, Result]:
    if not stale:
        return {}
    from hosts.run import set_up_over_ssh  # noqa: PLC0415 - pyinfra takes long to import

    spawn = multiprocessing.get_context("spawn")
    results: dict[str, Result] = {}
    with ProcessPoolExecutor(min(AT_ONCE, len(stale)), mp_context=spawn) as pool:
        try:
            with _without_interrupts():
                running = {
                    host.name: pool.submit(set_up_over_ssh, plan, host.name, digests[host.name])
                    for host in stale
                }
            for name, future in running.items():
                future.add_done_callback(_report_end(name, report))
            for name, future in running.items():
                results[name] = future.result()
        except BaseException:
            for child in multiprocessing.active_children():
                child.terminate()
            raise
    return results


@contextmanager
def _without_interrupts() -> Generator[None]:
    """Processes started inside ignore Ctrl-C: a pool whose children are interrupted waits forever."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _report_end(name: str, report: Report) -> Callable[[Future[Result]], None]:
    def done(future: Future[Result]) -> None:
        if future.cancelled() or future.exception():
            return
        result = future.result()
        report(
            name, f"failed: {result.failed}" if result.failed else f"set up ({len(result.changed)} changes)"
        )

    return done


def _failure(plan: FleetPlan, failed: Mapping[str, Result]) -> SlipwayError:
    lines: list[str] = []
    for name, result in failed.items():
        lines.append(f"{name}: {result.failed}")
        lines += [f"    {line}" for line in _redacted(plan, "\n".join(result.output)).splitlines()]
    hosts = ", ".join(failed)
    return SlipwayError(
        f"setting up {hosts} failed",
        remedy="see the operation below; slipway up goes on where it stopped",
        details=lines,
    )


def _redacted(plan: FleetPlan, text: str) -> str:
    """All lines at once: a command that fails may print a secret as base64, or broken over lines."""
    return Redactor({form: "***" for value in plan.secrets.values() for form in spellings(value)}).text(text)


def _ignore(_host: str, _text: str) -> None:
    pass
