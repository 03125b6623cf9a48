"""Writes docs/reference/: the command line, exit codes and alarms, as the code has them.

python -m script.reference
"""

# ruff: noqa: E501 - sentences of pages
from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from typer.main import get_command

from hosts.alert_rules import rules
from slipway.cli.app import COMMANDS, GROUPS, command_line
from slipway.settings import errors
from slipway.settings.alerts_table import ALERTS, Alert, CloudWatch
from slipway.settings.aws import Alerts
from slipway.traffic.results import MEANINGS

DOCS = Path(__file__).parents[1] / "docs"
MADE = "<!-- Made by `python -m script.reference` from the code; change that. -->"
_OWN = {"json", "stack", "help"}
"""Options that are the same everywhere, listed last."""
_KINDS: dict[Any, str] = {str: "text", int: "whole number", float: "number", Path: "path"}


def pages() -> dict[Path, str]:
    """Every page of docs/reference/, by its path."""
    root: Any = get_command(command_line())
    folder = DOCS / "reference"
    commands = {
        folder / "cli" / f"{name}.md": _command_page(name, each) for name, each in root.commands.items()
    }
    return {
        folder / "cli" / "index.md": _command_index(root),
        **commands,
        folder / "exit-codes.md": _exit_codes(),
        folder / "alarms.md": _alarms(),
    }


def _command_index(root: Any) -> str:
    lines = [MADE, "# Commands", root.help, ""]
    lines += ["| command | what it does |", "|---|---|"]
    for name in (*COMMANDS, *GROUPS):
        lines.append(f"| [`slipway {name}`]({name}.md) | {_cell(_first(root.commands[name].help))} |")
    lines += [
        "",
        "Every command that acts on a stack takes `--stack`, or reads it from `SLIPWAY_STACK`; the default is `local`.",
        "Where `--json` is given, standard output is one JSON document, progress goes to standard error, and a failure",
        'is `{"error": {"message", "remedy", "details", "exit_code"}}`. [Exit codes](../exit-codes.md) tell the kinds of',
        "failures apart. `slipway --install-completion` sets up your shell.",
    ]
    return "\n".join(lines) + "\n"


def _command_page(name: str, command: Any) -> str:
    lines = [MADE, f"# slipway {name}"]
    commands = getattr(command, "commands", None)
    if commands is None:
        lines += _command(f"slipway {name}", command)
    else:
        lines += [command.help, ""]
        for inner, each in commands.items():
            lines += [f"## slipway {name} {inner}", *_command(f"slipway {name} {inner}", each)]
    return "\n".join(lines).rstrip() + "\n"


def _command(path: str, command: Any) -> Iterator[str]:
    prose, _, examples = (command.help or "").partition("Examples:")
    context = command.make_context(path, [], resilient_parsing=True)
    yield prose.strip()
    yield ""
    yield "```text"
    pieces = (
        re.sub(r"\{(\w+)\}", lambda name: name[1].upper(), each)
        for each in command.collect_usage_pieces(context)
    )
    yield " ".join([path, *pieces])
    yield "```"
    yield ""
    if examples:
        yield from ("```sh", textwrap.dedent(examples).strip(), "```", "")
    ordered = sorted(command.params, key=lambda each: each.name in _OWN)
    yield "| option | default | |"
    yield "|---|---|---|"
    for each in ordered:
        yield f"| {_spelling(each)} | {_default(each)} | {_cell(each.help or '')} |"
    yield ""


def _spelling(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{parameter.metavar or parameter.name.upper()}`"
    spelled = ", ".join(f"`{each}`" for each in (*parameter.opts, *parameter.secondary_opts))
    often = " (may be repeated)" if parameter.multiple else ""
    return (
        spelled if parameter.is_flag else f"{spelled} {_value(parameter.type_descriptor.annotation)}{often}"
    )


def _value(annotation: Any) -> str:
    """What an option takes: its choices, or the kind of its value."""
    kinds = [each for each in (get_args(annotation) or (annotation,)) if each is not type(None)]
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{each}`" for each in kinds)
    return _KINDS[kinds[0]]


def _default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    if parameter.default in (None, "", False, ()) or parameter.show_default is False:
        return ""
    if parameter.default is True:
        return f"`{parameter.opts[0]}`"
    return f"`{parameter.default}`"


def _exit_codes() -> str:
    lines = [
        MADE,
        "# Exit codes",
        "A failure is printed with its remedy, and never as a traceback of something that a user can cause.",
        "",
        "| code | when |",
        "|---|---|",
        "| 0 | The command did what it says. |",
    ]
    lines += [
        f"| {each.exit_code} | {_prose(each.__doc__)} |" for each in vars(errors).values() if _is_kind(each)
    ]
    lines += [
        "| 141 | What read standard output closed it. |",
        "",
        "## slipway check",
        "0: all that ran passed or is waived. 1: a check failed. 2: bad input. 5: nothing failed, but something could not be",
        "tried, or nothing passed.",
        "",
        "## slipway load",
        "`slipway load` judges a run, and uses further codes:",
        "",
        "| code | when |",
        "|---|---|",
    ]
    lines += [f"| {code.value} | {_capital(meaning)}. |" for code, meaning in MEANINGS.items()]
    return "\n".join(lines) + "\n"


def _is_kind(value: object) -> bool:
    return (
        isinstance(value, type)
        and issubclass(value, errors.SlipwayError)
        and value is not errors.SlipwayError
    )


def _alarms() -> str:
    prometheus = {rule.remedy: rule for rule in rules("APP", Alerts())}
    lines = [
        MADE,
        "# Alarms",
        "Thresholds are the defaults of `slipway:aws.alerts`. How alarms reach you, and what an app exposes for them, is in",
        "[alerts](../alerts.md).",
        "",
        "| alarm | wrong is | urgency | on AWS after | on servers after | what to do |",
        "|---|---|---|---|---|---|",
    ]
    for alert in ALERTS:
        rule = prometheus.get(alert.remedy)
        cells = (
            f"`{alert.id}`",
            alert.what.format(threshold=_threshold(alert)),
            alert.severity,
            _cloudwatch(alert.cloudwatch),
            f"{rule.minutes} min" if rule else "none",
            alert.remedy,
        )
        lines.append("| " + " | ".join(_cell(each) for each in cells) + " |")
    lines += [
        "",
        "`page` is for a person now, `ticket` can wait. N: four fifths of the connections that the instance class takes. *: missing",
        "data raises the alarm too. None: not measured there.",
    ]
    return "\n".join(lines) + "\n"


def _threshold(alert: Alert) -> str:
    value = alert.threshold(Alerts())
    return "N" if value == 0 else f"{value:,.0f}" if value > 10 else f"{value:g}"


def _cloudwatch(alarm: CloudWatch | None) -> str:
    if alarm is None:
        return "none"
    missing = " *" if alarm.missing == "breaching" else ""
    return f"{alarm.breaching * alarm.seconds // 60} min{missing}"


def _first(text: str) -> str:
    return re.split(r"(?<=\.)\s|\n\n", text.partition("Examples:")[0].strip())[0]


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _prose(text: str | None) -> str:
    return _cell(" ".join((text or "").split()))


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def main() -> None:
    for path, text in pages().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
