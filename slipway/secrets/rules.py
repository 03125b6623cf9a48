"""Forms of well-known keys, from gitleaks' table (rules.toml): which file holds a key, whoever's it is."""

import math
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ahocorasick_rs import BytesAhoCorasick, Implementation

TABLE = Path(__file__).with_name("rules.toml")
BEFORE, AFTER = 256, 4096
"""So many bytes around its word a key may begin and end."""
_DOCUMENTED = re.compile(rb"EXAMPLE|example|0{8}|x{8}|X{8}|1234567890")
"""Keys in documentation, which give no access."""


@dataclass(frozen=True)
class Rule:
    """One kind of key. Where none of `words` is, in lower case, there is no such key."""

    id: str
    regex: re.Pattern[bytes]
    words: tuple[bytes, ...]
    entropy: float
    """Bits a character that a real key has at least."""


@dataclass(frozen=True)
class Rules:
    """All kinds, and the automaton that looks for their words in one pass."""

    rules: tuple[Rule, ...]
    automaton: BytesAhoCorasick
    by_word: tuple[Rule, ...]
    """The rule of each of the automaton's words."""

    def find(self, text: bytes) -> Iterator[tuple[int, str]]:
        """Offset and kind of each key in `text`."""
        for rule, spans in self._around_words(text).items():
            for begin, end in spans:
                for match in rule.regex.finditer(text, begin, end):
                    if _is_real(rule, match[match.lastindex or 0]):
                        yield match.start(match.lastindex or 0), rule.id

    def _around_words(self, text: bytes) -> dict[Rule, list[list[int]]]:
        """Where each kind may be: begin and end of spans that do not overlap."""
        spans: dict[Rule, list[list[int]]] = {}
        for word, at, _ in self.automaton.find_matches_as_indexes(text.lower(), overlapping=True):
            own = spans.setdefault(self.by_word[word], [])
            if own and at - BEFORE <= own[-1][1]:
                own[-1][1] = at + AFTER
            else:
                own.append([max(0, at - BEFORE), at + AFTER])
        return spans


@lru_cache(maxsize=1)
def known_keys() -> Rules:
    """The table, ready to search."""
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    rules = tuple(
        Rule(
            name,
            re.compile(row["regex"].encode()),
            tuple(word.encode() for word in row["words"]),
            row.get("entropy", 0),
        )
        for name, row in table.items()
    )
    pairs = [(word, rule) for rule in rules for word in rule.words]
    # As a DFA: it has no prefilter that a file full of one word could slow down.
    automaton = BytesAhoCorasick([word for word, _ in pairs], implementation=Implementation.DFA)
    return Rules(rules, automaton, tuple(rule for _, rule in pairs))


def holds_key(text: str) -> bool:
    """Whether a key of a well-known kind is in `text`."""
    return any(True for _ in known_keys().find(text.encode()))


def _is_real(rule: Rule, key: bytes) -> bool:
    bits = -sum(n / len(key) * math.log2(n / len(key)) for n in Counter(key).values())
    return bits >= rule.entropy and not _DOCUMENTED.search(key)
