"""Writes the controls into docs/infrastructure.md: `python -m slipway.settings.controls.reference`."""

import re
from collections.abc import Iterator
from pathlib import Path

from slipway.settings.controls import CHECKLIST, CONTROLS, SECTIONS, Control, Section
from slipway.settings.controls.tokens import EVERYTHING

PAGE = Path(__file__).resolve().parents[3] / "docs" / "infrastructure.md"
START = "<!-- Made by `python -m slipway.settings.controls.reference`; change the tables beside it. -->"
END = "<!-- End of the controls. -->"
_ELSEWHERE = {"I14": "no rule: see [cloudflare.md](cloudflare.md)"}
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def reference() -> str:
    """Markdown: a table for each section, and one for the checklist."""
    return "\n".join([
        *(line for section in SECTIONS for line in _section(section)),
        "## The checklist's rows",
        "| row | demand | rules |",
        "|---|---|---|",
        *(f"| {row} | {demand} | {_rules(row)} |" for row, demand in CHECKLIST.items()),
    ])  # fmt: skip


def page() -> str:
    """The whole page, with the tables as they should be."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(START)
    return f"{before}{START}\n\n{reference()}\n\n{END}{rest.partition(END)[2]}"


def _section(section: Section) -> Iterator[str]:
    yield f"### {section.title}"
    yield f"Set in {', '.join(f'`{source}`' for source in section.sources)}."
    yield ""
    yield "| rule | control | keeps | checked on | decided by the setting | severity |"
    yield "|---|---|---|---|---|---|"
    for each in section.rows:
        cells = (
            _id(each),
            ", ".join(each.controls),
            each.says,
            _checked(each),
            _setting(each),
            each.severity,
        )
        yield f"| {' | '.join(cells)} |"
    yield ""


def _id(control: Control) -> str:
    return f"`{control.id}` (production)" if control.production or not control.on else f"`{control.id}`"


def _checked(control: Control) -> str:
    if not control.on:
        return "the setting"
    kinds = ["every resource" if each == EVERYTHING else _kind(each) for each in control.on]
    path = _WORDS.sub("_", control.path).lower() if control.path[:1].islower() else control.path
    test = f": {control.holds.phrase}" if control.holds else ""
    return ", ".join(kinds) + (f" `{path}`{test}" if path else "")


def _kind(token: str) -> str:
    """`aws:rds/instance:Instance` is `rds.Instance`."""
    package, module, name = [*token.split(":"), ""][:3]
    folder = module.partition("/")[0]
    return f"{package if folder == 'index' else folder}.{name}" if "/" in module else "Provider"


def _setting(control: Control) -> str:
    demand = f", in production: {control.demands.phrase}" if control.demands else ""
    return f"`{control.setting}`{demand}" if control.setting else ""


def _rules(row: str) -> str:
    found = [f"`{each.id}`" for each in CONTROLS if row in each.controls]
    return ", ".join(found) or _ELSEWHERE[row]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
