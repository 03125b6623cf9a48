"""Keeps secret values, in whatever form they appear, out of everything that is printed, logged or written."""

from collections.abc import Mapping

from hosts.agent import redact

_OPEN, _CLOSE = "\u2039", "\u203a"
"""Single angle quotation marks: they occur in no value and mean nothing to a shell."""


class Redactor:
    """Replaces each secret, in whatever form it appears, by its name. The agent redacts by the same rules."""

    def __init__(self, values: Mapping[str, str]) -> None:
        labels: dict[str, str] = {}
        for name, value in sorted(values.items()):
            for form in forms(value):
                labels.setdefault(form, f"{_OPEN}{name}{_CLOSE}")
        self._forms = len(labels)
        self._redactor = redact.Redactor(labels)

    def __repr__(self) -> str:
        return f"Redactor({self._forms} forms)"

    def text(self, text: str) -> str:
        """`text` without secrets. Pass all lines at once: a value may be split over several."""
        return self._redactor.text(text)


def forms(value: str) -> set[str]:
    """Every form in which `value` may appear; empty if it is too short to be recognised."""
    return redact.spellings(value)
