"""Policy variables: `${aws:userid}` in a Resource or a condition, and `*` and `?`.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping

Context = Mapping[str, str | list[str]]
"""Condition keys of a request, in any case, with their values."""
_VARIABLE = re.compile(r"\$\{\s*([^},]+?)\s*(?:,\s*'([^']*)')?\s*\}")
_ITSELF = {"*": "[*]", "?": "[?]", "$": "$"}
"""`${*}` is an asterisk that stands for nothing but itself."""


def filled(pattern: str, context: Context) -> str | None:
    """`pattern` with its variables filled in, as a pattern for `fits`.

    None if a variable has no value, more than one, and no default: then the statement fits nothing.
    """
    missing = False

    def value(found: re.Match[str]) -> str:
        nonlocal missing
        if found[1] in _ITSELF:
            return _ITSELF[found[1]]
        given = values(found[1], context)
        if len(given) == 1:
            return re.sub(r"([*?])", r"[\1]", given[0])
        missing = missing or found[2] is None
        return found[2] or ""

    result = _VARIABLE.sub(value, pattern)
    return None if missing else result


def values(key: str, context: Context) -> list[str]:
    """What the request says of `key`; keys have no case."""
    for name, value in context.items():
        if name.lower() == key.lower():
            return [value] if isinstance(value, str) else list(value)
    return []


def fits(pattern: str, text: str, *, case: bool = True) -> bool:
    """Is `text` what `pattern` says, where `*` is any text and `?` any character? `[*]` is an asterisk."""
    parts = re.split(r"(\[\*\]|\[\?\]|\*|\?)", pattern)
    meaning = {"*": ".*", "?": ".", "[*]": r"\*", "[?]": r"\?"}
    expression = "".join(meaning.get(part) or re.escape(part) for part in parts)
    return re.fullmatch(expression, text, re.DOTALL if case else re.DOTALL | re.IGNORECASE) is not None
