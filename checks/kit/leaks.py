"""Secret values as they are looked for in text: by their pieces."""

from __future__ import annotations

import re
from collections.abc import Iterable

SHORT = 12
"""Values of fewer characters are found by chance."""
MARKS = " \t\0\"'`=:@/,;&?|()[]{}<>\\"
"""Between words, wherever text is looked through: a value is looked for by its pieces between them."""


def pieces(values: Iterable[str]) -> set[str]:
    """What of secret `values` is looked for: what is long, and no host's name in a URL."""
    between = f"[{re.escape(MARKS)}\\s]"
    found = {piece for value in values for piece in re.split(between, value)}
    return {piece for piece in found if len(piece) >= SHORT and "." not in piece and "-----" not in piece}
