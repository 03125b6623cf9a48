"""docs/checks-matrix.md: every check with its row, severity, standards, reason and remedy.

python -m checks.kit.matrix > docs/checks-matrix.md
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from checks.kit.check import SEVERITIES, Check, row_order
from checks.kit.rows import heading

FOLDER = Path(__file__).parents[1]
HEAD = """\
# The checks
Written by `python -m checks.kit.matrix > docs/checks-matrix.md`; how to run them is in
[checks.md](checks.md). ASVS is OWASP ASVS 5.0. A check with several rows is listed under the first.
What a check needs is declared in slipway.toml or, where it begins with `slipway:`, in the stack's settings;
without it the check is not evaluated, and names the key.

"""
WANTED = (
    *(f"P{number}" for number in range(2, 11)),
    *(f"I{number}" for number in range(1, 14)),
    *(f"S{number}" for number in range(1, 11)),
    *(f"X{number}" for number in range(1, 18)),
)
"""The rows of the production checklist that have a live side."""
PROVED_ELSEWHERE = {
    "P7": "sender domain, sandbox and bounce alarms belong to SES: infra/aws/mail.py, tested by tests/infra",
    "S9": "the router under a second runtime is tested where it is built: script/test board",
}
"""Rows without a check, and what proves them."""


def all_checks() -> list[Check]:
    """Every check, by row and severity."""
    found: dict[str, Check] = {}
    for file in sorted(FOLDER.glob("*/test_*.py")):
        module = importlib.import_module(f"checks.{file.parent.name}.{file.stem}")
        for value in vars(module).values():
            for mark in _marks(value):
                if mark.name == "check" and isinstance(mark.args[0], Check):
                    found[mark.args[0].id] = mark.args[0]
    return sorted(
        found.values(), key=lambda each: (row_order(each.rows[0]), SEVERITIES.index(each.severity), each.id)
    )


def render(checks: Iterable[Check]) -> str:
    rows: dict[str, list[Check]] = {}
    for each in checks:
        rows.setdefault(each.rows[0], []).append(each)
    parts = [f"## {heading(row)}\n\n{_table(those)}" for row, those in rows.items()]
    elsewhere = "".join(f"- **{row}**: {proof}\n" for row, proof in PROVED_ELSEWHERE.items())
    return f"{HEAD}{chr(10).join(parts)}\n## Rows that are proved elsewhere\n\n{elsewhere}"


def uncovered(checks: Iterable[Check]) -> list[str]:
    """Rows that neither a check nor anything else proves."""
    covered = {row for each in checks for row in each.rows}
    return [row for row in WANTED if row not in covered and row not in PROVED_ELSEWHERE]


def _table(checks: Iterable[Check]) -> str:
    lines = ["| check | severity | needs | standards | why | remedy |", "|---|---|---|---|---|---|"]
    for each in checks:
        also = f" (also {', '.join(each.rows[1:])})" if len(each.rows) > 1 else ""
        standards = ", ".join(
            part for part in (f"ASVS {each.asvs}" if each.asvs else "", each.standard) if part
        )
        flags = "".join(
            [
                ", optional" if not each.required else "",
                ", `--invasive`" if each.invasive else "",
                ", `--deep`" if each.deep else "",
            ]
        )
        needs = ", ".join([*each.needs, *(f"a {role} host" for role in each.roles if len(each.roles) == 1)])
        cells = (
            f"`{each.id}`{also}", each.severity + flags, needs or "nothing", standards or "none",
            each.why, each.remedy,
        )  # fmt: skip
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _marks(value: object) -> list[Any]:
    marks: object = getattr(value, "pytestmark", [])
    return marks if isinstance(marks, list) else []  # pyright: ignore[reportUnknownVariableType]


if __name__ == "__main__":
    sys.stdout.write(render(all_checks()))
