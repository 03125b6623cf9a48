"""`slipway meter` without its command line: bounds, a line a second, tables at the end, the exit code."""

import sys

from rich.console import Console
from rich.table import Table
from rich.text import Text

from slipway.settings import BadInput, printable
from slipway.traffic.interrupt import ending_early
from slipway.traffic.meter.measure import measure
from slipway.traffic.meter.report import Latency, Report, Requests, Second
from slipway.traffic.target import Target


def run(
    target: Target, *, rps: float, sockets: int, seconds: float, json: bool = False, i_know: bool = False
) -> int:
    """Measure a target; returns the exit code: 0 nothing lost, 1 something lost or no data.

    The report goes to standard output, as tables or as one JSON document; live lines go to standard error,
    but not beside JSON unless that is a terminal. Ctrl-C and SIGTERM end the run with the report so far.
    BadInput beyond the bounds, and for prod without `i_know`.
    """
    if target.stack == "prod" and not i_know:
        raise BadInput(
            f"{rps:g} requests/s at the stack prod: real users would feel it",
            remedy="measure a preview stack, or say --i-know",
        )
    with ending_early() as stop:
        # Live lines beside a JSON report are not read, and a full pipe would hold the meter up.
        show_second = None if json and not sys.stderr.isatty() else _show_second
        report = measure(target, rps, sockets, seconds, on_second=show_second, stop=stop)
    if json:
        sys.stdout.write(report.model_dump_json(indent=2) + "\n")
    else:
        show(report, Console(markup=False, width=None if sys.stdout.isatty() else 120))
    return report.exit_code


def _show_second(second: Second) -> None:
    sys.stderr.write(printable(second_line(second)) + "\n")
    sys.stderr.flush()


SHOWN_LOSSES = 20


def second_line(second: Second) -> str:
    """One line for one second, as counted when it ended (slow answers are still under way)."""
    sockets = second.sockets
    releases = " ".join(f"{name}:{count}" for name, count in second.releases.items())
    return (
        f"{second.second + 1:>4} s  sent {second.sent:>4}  ok {second.ok:>4}  lost {second.lost:>3}  "
        f"errors {second.errors:>3}  retried {second.retried:>2}  "
        f"p95 {_ms(second.ms.p95):>6} ms  max {_ms(second.ms.max):>7} ms  "
        f"sockets {sockets.open:>4}  echoes {sockets.echoes:>4}  abnormal {sockets.abnormal:>2}  {releases}"
    ).rstrip()


def show(report: Report, console: Console) -> None:
    """The whole report: what was sent and lost, by release, every loss with its time, and the verdict."""
    console.print(_requests(report))
    if report.sockets_asked:
        console.print(_sockets(report))
    if report.losses:
        console.print(_losses(report))
    for name, count in report.kinds.items():
        console.print(printable(f"  {count} of {name}"), markup=False)
    generator = report.generator
    hosts = " ".join(f"{printable(host)} {count}" for host, count in sorted(report.hosts.items()))
    console.print(
        f"hosts: {hosts or 'none named'} · meter: {generator.cpu_percent:g} % of a core, "
        f"{generator.late} late, worst {generator.worst_late_ms:g} ms",
        highlight=False,
    )
    for note in report.notes:
        console.print(Text(printable(f"note: {note}"), style="yellow"))
    for failure in report.failures:
        console.print(Text(printable(f"failed: {failure}"), style="bold red"))
    if report.passed:
        console.print(Text(_praise(report), style="bold green"))


def _requests(report: Report) -> Table:
    table = Table(
        title=f"{report.url} · {report.seconds:.1f} s · {report.rps:g} requests/s · latencies in ms",
        title_justify="left",
    )
    table.add_column("release")
    for column in ("sent", "ok", "lost", "errors", "retried", "p50", "p95", "p99", "max"):
        table.add_column(column, justify="right")
    for release, requests in report.per_release.items():
        table.add_row(printable(release), *_cells(requests))
    table.add_section()
    table.add_row("all", *_cells(report.requests))
    return table


def _cells(requests: Requests) -> list[str]:
    counts = (requests.sent, requests.ok, requests.lost, requests.errors, requests.retried)
    return [*map(str, counts), *_latencies(requests.ms)]


def _latencies(ms: Latency) -> list[str]:
    return [_ms(value) for value in (ms.p50, ms.p95, ms.p99, ms.max)]


def _sockets(report: Report) -> Table:
    table = Table(title=f"{report.sockets_asked} sockets", title_justify="left")
    for column in ("opened", "open", "again", "abnormal", "echoes", "cut", "p50", "p95", "p99", "max"):
        table.add_column(column, justify="right")
    sockets = report.sockets
    counts = (
        sockets.opened,
        sockets.open,
        sockets.reconnected,
        sockets.abnormal,
        sockets.echoes,
        sockets.cut,
    )
    table.add_row(*map(str, counts), *_latencies(report.echo_ms))
    return table


def _losses(report: Report) -> Table:
    more = len(report.losses) - SHOWN_LOSSES
    table = Table(
        title="lost" if more <= 0 else f"lost (the first {SHOWN_LOSSES}; --json has more)",
        title_justify="left",
    )
    for column in ("at", "what", "kind", "where", "host", "release"):
        table.add_column(column)
    for loss in report.losses[:SHOWN_LOSSES]:
        row = (f"{loss.at:.3f} s", loss.what, loss.kind, loss.where, loss.host, loss.release)
        table.add_row(*map(printable, row))
    return table


def _praise(report: Report) -> str:
    parts: list[str] = []
    if report.rps:
        parts.append(f"{report.requests.lost} of {report.requests.sent} requests lost")
    if report.sockets_asked:
        parts.append(f"{report.sockets.abnormal} of {report.sockets.opened} sockets closed abnormally")
    return "passed: " + ", ".join(parts)


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
