"""Text from elsewhere (an app's log, a host's error) as a terminal may show it: nothing in it is an order."""

import re

_ORDERS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_LONGEST = 20_000


def printable(text: str) -> str:
    """`text` with control characters, and those that reverse its direction, as `\\x1b` or `\\u202e`.

    Line feeds and tabs stay; a line over 20,000 characters is shortened.
    """
    shown = _ORDERS.sub(_written, text)
    if len(shown) <= _LONGEST:
        return shown
    return "\n".join(
        line if len(line) <= _LONGEST else f"{line[:_LONGEST]}… ({len(line)} characters)"
        for line in shown.split("\n")
    )


def _written(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
