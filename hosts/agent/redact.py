"""Secret values, in whatever spelling they appear, out of answers, logs and messages.

Each spelling is looked for in the text as it is, and in readings of it: with escapes decoded, with lines that
were broken joined, and as a row of hexadecimal digits. Both the agent and slipway redact by this.
"""

from __future__ import annotations

import base64
import json
import re
from urllib.parse import quote, quote_plus

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

SHORTEST = 6
"""Shorter values would match ordinary text by chance."""
_SHORTEST_LINE = 16
_SHORTEST_CODED = 8
_HEAD = 4
_Reading = tuple[str, list[int], list[int]]
"""A reading of a text: its characters, and where each begins and ends in the text."""


def spellings(value: str) -> set[str]:
    """Every spelling in which `value` may appear; empty if it is too short to be recognised."""
    if len(value) < SHORTEST:
        return set()
    raw = value.encode(errors="surrogatepass")
    found = _escaped(value) | _base64(raw) | _base32(raw) | {raw.hex(), raw.hex().upper()}
    found |= {"".join(value.split()), raw.decode("latin-1")}
    lines = [line.strip() for line in value.splitlines() if len(line.strip()) >= _SHORTEST_LINE]
    if len(lines) > 1:  # a PEM key is printed and logged line by line
        found.update(line for line in lines if not line.startswith("-----"))
    return {spelling for spelling in found if len(spelling) >= SHORTEST}


class Redactor:
    """Replaces each spelling by what stands for it."""

    def __init__(self, labels: Mapping[str, str]) -> None:
        self._labels = _Labels(labels)
        self._hex = _Labels(
            {form: label for form, label in labels.items() if re.fullmatch(r"[0-9a-f]{12,}", form)}
        )

    def text(self, text: str) -> str:
        """`text` without secrets. Pass all lines at once: a value may be split over several."""
        if not self._labels.by_head or len(text) < SHORTEST:
            return text
        text = self._replaced(text, None, self._labels)
        if _ESCAPE.search(text):
            text = self._replaced(text, _reading(text, _ESCAPE, _decoded), self._labels)
        if _BROKEN.search(text):
            text = self._replaced(text, _reading(text, _BROKEN), self._labels)
        if self._hex.by_head and _DIGITS.search(text):
            text = self._replaced(text, _reading(text.lower(), _BETWEEN), self._hex)
        return text

    def _replaced(self, text: str, reading: _Reading | None, labels: _Labels) -> str:
        seen, starts, ends = reading or (text, [], [])
        spans = sorted(
            (starts[at], -ends[at + size - 1], label) if reading else (at, -at - size, label)
            for at, size, label in labels.found(seen)
        )
        parts: list[str] = []
        done = 0
        for start, minus_end, label in spans:
            if start >= done:
                parts += [text[done:start], label]
            done = max(done, -minus_end)
        return "".join([*parts, text[done:]])


class _Labels:
    """Spellings and their labels, by the first characters, so that a text is searched for few of them."""

    def __init__(self, labels: Mapping[str, str]) -> None:
        self.by_head: dict[str, list[tuple[str, str]]] = {}
        for form, label in labels.items():
            self.by_head.setdefault(form[:_HEAD], []).append((form, label))

    def found(self, text: str) -> Iterator[tuple[int, int, str]]:
        """Where spellings are in `text`, how long they are, and their labels."""
        heads = {text[at : at + _HEAD] for at in range(len(text) - _HEAD + 1)}
        for head in self.by_head.keys() & heads:
            for form, label in self.by_head[head]:
                at = text.find(form)
                while at >= 0:
                    yield at, len(form), label
                    at = text.find(form, at + 1)


_ESCAPE = re.compile(
    r"\\+u\{?(?P<u>[0-9a-fA-F]{4,6})\}?|\\+x(?P<x>[0-9a-fA-F]{2})|&#[xX](?P<e>[0-9a-fA-F]{1,6});"
    r"|&#(?P<d>[0-9]{1,7});|%(?P<p>[0-9a-fA-F]{2})|\\+(?P<o>[0-3][0-7]{2})|\\+(?P<c>[\\\"'/])"
)
_BROKEN = re.compile(r"[ \t]*\\?(?:\r\n|[\r\n])[ \t]*|\\+r?\\*n")
_BETWEEN = re.compile(r"0x|\\+x|[\s:,\-]+")
_DIGITS = re.compile(r"(?:[0-9a-fA-F]{2}(?:0x|\\+x|[\s:,\-])*){6}")


def _decoded(match: re.Match[str]) -> str:
    kind = match.lastgroup
    code = match[kind or 0]
    if kind == "c":
        return code
    number = int(code, 8 if kind == "o" else 10 if kind == "d" else 16)
    return chr(number) if number < 0x110000 else ""


def _reading(
    text: str, token: re.Pattern[str], replace: Callable[[re.Match[str]], str] | None = None
) -> _Reading:
    """`text` with each `token` replaced by what `replace` makes of it, by default nothing."""
    seen: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    done = 0
    for match in token.finditer(text):
        seen.append(text[done : match.start()])
        starts += range(done, match.start())
        ends += range(done + 1, match.start() + 1)
        if replace and (made := replace(match)):
            seen.append(made)
            starts += [match.start()] * len(made)
            ends += [match.end()] * len(made)
        done = match.end()
    seen.append(text[done:])
    starts += range(done, len(text))
    ends += range(done + 1, len(text) + 1)
    return "".join(seen), starts, ends


def _escaped(value: str) -> set[str]:
    percent = {quote(value, safe=""), quote(value), quote_plus(value), quote(value, safe="!*'()")}
    in_json = json.dumps(value)[1:-1]
    entities = value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return {
        value,
        value.strip(),
        *percent,
        *(_small_hex(form) for form in percent),
        in_json,
        json.dumps(in_json)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        in_json.replace("/", "\\/"),
        repr(value)[1:-1],
        value.replace("'", "'\"'\"'"),
        entities,
        entities.replace('"', "&quot;").replace("'", "&#x27;"),
    }


def _base64(raw: bytes) -> set[str]:
    """Base64 of `raw` alone and inside a longer text (`user:password`), where it may be shifted."""
    found: set[str] = set()
    for shift in range(3):
        middle = _certain(base64.b64encode(b"\0" * shift + raw).decode(), shift, len(raw), 6)
        found |= {middle, middle.replace("+", "-").replace("/", "_")}
    whole = base64.b64encode(raw).decode()
    long = {form for form in found if len(form) >= _SHORTEST_CODED}
    return long | {whole, base64.urlsafe_b64encode(raw).decode(), quote(whole, safe="")}


def _base32(raw: bytes) -> set[str]:
    """Base32 likewise, which shifts by five bits."""
    shifted = [_certain(base64.b32encode(b"\0" * n + raw).decode(), n, len(raw), 5) for n in range(5)]
    whole = base64.b32encode(raw).decode()
    long = {form for form in [*shifted, whole, whole.rstrip("=")] if len(form) >= _SHORTEST_CODED}
    return long | {form.lower() for form in long}


def _certain(text: str, shift: int, size: int, bits: int) -> str:
    """The characters of an encoding that hold no bits of the neighbours."""
    return text[-(-shift * 8 // bits) : (shift + size) * 8 // bits]


def _small_hex(text: str) -> str:
    parts = text.split("%")
    return "%".join([parts[0], *(part[:2].lower() + part[2:] for part in parts[1:])])
