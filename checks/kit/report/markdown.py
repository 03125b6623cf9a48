"""The checks for the page of a CI job (`GITHUB_STEP_SUMMARY`): what failed, its remedy, and the sums."""

from __future__ import annotations

from checks.kit.results import Run


def markdown(run: Run) -> str:
    """The text."""
    sums = ", ".join(f"{count} {verdict}" for verdict, count in run.counts.items())
    release = "" if run.release is None else f", release {run.release}"
    lines = [
        f"### {_cell(run.stack)}: checks {'passed' if run.good else '**failed**'}",
        "",
        f"{sums} in {run.seconds:.0f} s{release}.",
        "",
    ]
    failed = [each for each in run.results if each.verdict == "fail"]
    if failed:
        lines += ["| check | on | what was found | remedy |", "|---|---|---|---|"]
        lines += [
            f"| {_cell(each.id)} | {_cell(each.host)} | {_cell(each.reason)} | {_cell(each.remedy)} |"
            for each in failed
        ]
        lines.append("")
    return "\n".join(lines)


def _cell(text: str) -> str:
    """Text of others, which must end neither the cell nor the table, and be no markup."""
    flat = " ".join(text.split())
    for sign in "\\`*_[]|":
        flat = flat.replace(sign, f"\\{sign}")
    return flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
