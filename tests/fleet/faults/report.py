"""Writes docs/reliability.md from reports/faults.json: `python -m tests.fleet.faults.report`.

Only a real run writes reports/faults.json; a cell that has not run yet is shown as such.
"""

import sys
from collections.abc import Iterable
from typing import Any

from tests.fleet.faults.matrix import MATRIX, Cell
from tests.fleet.faults.results import ROOT, read

PAGE = ROOT / "docs" / "reliability.md"
HEAD = """\
# What faults cost users
Written by `python -m tests.fleet.faults.report` from real runs on the local fleet: real hosts, commands and \
faults. Each fault strikes when the command prints that it has come to the moment, while the meter sends \
{traffic} to the site and counts every request and socket (see [meter.md](meter.md)).

A row passes only if the command ended with a code that fits, the next `slipway status` ended with 0 without \
a person, every host then served users the release that the ledger names, no slot was left half started, and \
no record stayed open. The rows are the table in `tests/fleet/faults/matrix.py`.

- exit: of the command; 0 done · 1 undone · 3 another command decides · 4 incomplete, the next command goes \
on · -9 killed
- lost: requests without a whole answer, or with a status from 400 up that is not the app's own
- errors: requests that the app itself answered with a status from 400 up
- cut: sockets that ended without a goodbye or could not be opened, or an echo without an answer within 5 s
- serves: the release of before (old) or the command's own (new)
- well after: seconds from the fault until `slipway status` had answered and every host served

"""
COLUMNS = (
    "fault",
    "moment",
    "exit",
    "requests",
    "lost",
    "errors",
    "sockets",
    "cut",
    "serves",
    "next",
    "well after",
)
REPEAT = """\
## How to repeat
    script/test fleet                       # all fleet tests, and another third of this table each day
    script/test proof                       # the whole table
    SLIPWAY_MATRIX=2/3 uv run pytest tests/fleet/faults
    uv run pytest tests/fleet/faults -k "SIGKILL and boot"
    uv run python -m tests.fleet.faults.report

A run keeps its outcomes in `reports/faults.json`, the newest for each row.
"""


def page(results: dict[str, Any]) -> str:
    """The page."""
    found = [results[cell.id] for cell in MATRIX if cell.id in results]
    traffic = " or ".join(sorted({each["traffic"] for each in found})) or "no traffic yet"
    parts = [
        HEAD.format(traffic=traffic),
        "## The live hosts stay up\nNo request may be lost and no socket cut: any other number fails.\n\n",
        _table([cell for cell in MATRIX if cell.hosts_stay_up], results),
        "\n## A live host, or a service that the app needs, goes down\nWhat was on it is counted. "
        "The last seconds must be without a loss again.\n\n",
        _table([cell for cell in MATRIX if not cell.hosts_stay_up], results),
        f"\n{_sums(found)}\n\n",
        REPEAT,
    ]
    return "".join(parts)


def _table(cells: Iterable[Cell], results: dict[str, Any]) -> str:
    rows = [COLUMNS, ("---",) * len(COLUMNS)]
    for cell in cells:
        outcome = results.get(cell.id)
        what = (cell.fault.name, cell.moment.name)
        rows.append(
            (*what, *_cells(outcome)) if outcome else (*what, "not run yet", *[""] * (len(COLUMNS) - 3))
        )
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _cells(outcome: dict[str, Any]) -> tuple[str, ...]:
    then = "status" + (f", {outcome['then']}" if outcome["then"] else "")
    counts = [str(outcome[name]) for name in ("sent", "lost", "errors", "sockets", "cut")]
    failed = " (failed)" if outcome["problems"] else ""
    return (f"{outcome['exit']}{failed}", *counts, outcome["serves"], then, f"{outcome['seconds']:.0f} s")


def _sums(found: list[dict[str, Any]]) -> str:
    up = [each for each in found if each["hosts_stay_up"]]
    lost = sum(each["lost"] + each["errors"] for each in up)
    dates, commits, machines = (
        ", ".join(sorted({each[name] for each in found})) for name in ("date", "commit", "machine")
    )
    return (
        f"{len(found)} of {len(MATRIX)} rows have run. Where the live hosts stay up: "
        f"{sum(each['sent'] for each in up):,} requests, {lost} lost or answered with an error; "
        f"{sum(each['sockets'] for each in up):,} sockets, {sum(each['cut'] for each in up)} cut. "
        f"Measured on {dates} with {machines}; commits {commits}."
    )


def main() -> int:
    results = read()
    if not results:
        sys.stderr.write("no cell has run yet: pytest tests/fleet/faults\n")
        return 1
    PAGE.write_text(page(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
