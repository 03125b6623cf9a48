"""Finding the stack's secrets by value: here, and on a host without sending it the secrets."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets as randomness
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from slipway.stack import FleetHost, LiveStack, SlipwayError, answers

SECONDS = 120
"""Longest search of one host."""
SHORT = 12
"""Shorter values also occur by chance."""
SEPARATORS = " \t\0\"'`=:@/,;&?|()[]{}<>\\"
"""A secret and a text are both split at these, and their pieces compared."""
KNOWN = {
    "an AWS access key": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "a Stripe live key": r"\b[rs]k_live_[0-9A-Za-z]{16,}",
    "a webhook signing secret": r"\bwhsec_[0-9A-Za-z+/]{24,}",
    "an age private key": r"\bAGE-SECRET-KEY-1[0-9A-Z]{58}\b",
    "a GitHub token": r"\b(?:gh[pousr]_[0-9A-Za-z]{36}|github_pat_[0-9A-Za-z_]{60,})",
    "a GitLab token": r"\bglpat-[0-9A-Za-z_-]{20,}",
    "a Slack token": r"\bxox[abeoprs]-[0-9A-Za-z-]{20,}",
    "an npm token": r"\bnpm_[0-9A-Za-z]{36}\b",
    "a SendGrid key": r"\bSG\.[0-9A-Za-z_-]{22}\.[0-9A-Za-z_-]{43}",
}
"""Keys that give access by themselves and belong neither on a host nor in a page, whoever's they are. Few, so
that a host needs no more than Python's own `re`; a build is held to gitleaks' whole table before it ships."""
LOGGED = {
    "a bearer token": r"(?i)\bbearer\s+[A-Za-z0-9_~+/-][A-Za-z0-9._~+/-]{19,}",
    "a JSON web token": r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{16,}",
    "an AWS access key": KNOWN["an AWS access key"],
    "a password in a URL": r"\b[a-z][a-z0-9+.-]+://[^\s/:@\"']*:(?!\*+@|\[?redacted|%5B|<)[^\s/@\"']{6,}@",
}
"""What no log may hold, whoever gave it out."""
_PROGRAM = Path(__file__).with_name("leak_search.py")
_HOST_NAME = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")
_PRIVATE = re.compile(r"-----BEGIN ((?:[A-Z]+ )*)PRIVATE KEY-----(.+?)-----END", re.DOTALL)


def pieces(values: Iterable[str]) -> set[str]:
    """The pieces of secret `values` to search for: the long ones that are no host name.

    Of a PEM file, those of its private keys: certificates are public.
    """
    between = f"[{re.escape(SEPARATORS)}\\s]"
    secret = (
        part for value in values for part in (_private_lines(value) if "-----BEGIN" in value else [value])
    )
    found = {piece for value in secret for piece in re.split(between, value)}
    return {piece for piece in found if len(piece) >= SHORT and not _HOST_NAME.fullmatch(piece)}


def _private_lines(pem: str) -> list[str]:
    """The lines of private keys that hold nothing public and are in no other key."""
    found: list[str] = []
    for kind, body in _PRIVATE.findall(pem):
        lines = body.split()
        if kind.startswith("OPENSSH"):
            found += lines[3:-1]  # before: what all keys of a kind share, and the public half
        else:
            found += lines[:1] if len(lines) <= 4 else lines  # a short one ends with its public half
    return found


def spelled(value: str) -> set[str]:
    """`value` and its spellings: base64, hex, percent-encoded."""
    raw = value.encode()
    if "-----BEGIN" in value or len(value) < SHORT:
        return {value}
    coded = {base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode(), raw.hex()}
    return {value, quote(value, safe=""), *coded}


@dataclass(frozen=True)
class Sought:
    """The pieces of every secret of a stack, by digest."""

    names: Mapping[str, str]
    """Digest of a piece to the name of its secret."""
    lengths: tuple[int, ...]

    @classmethod
    def of(cls, values: Mapping[str, str]) -> Sought:
        """The pieces of secrets that are given by name."""
        each = {piece: name for name, value in values.items() for piece in pieces(spelled(value))}
        names = {hashlib.sha256(piece.encode()).hexdigest(): name for piece, name in each.items()}
        return cls(names, tuple(sorted({len(piece.encode()) for piece in each})))

    def named(self, digests: Iterable[str]) -> str:
        """The names of the secrets that `digests` are pieces of."""
        return ", ".join(sorted({self.names[digest] for digest in digests if digest in self.names}))

    def in_text(self, text: bytes) -> set[str]:
        """Names of the secrets in `text`."""
        between = bytes(32 if chr(at) in SEPARATORS or at < 32 else at for at in range(256))
        words = {word for word in text.translate(between).split() if len(word) in self.lengths}
        digests = (hashlib.sha256(word).hexdigest() for word in words)
        return {self.names[digest] for digest in digests if digest in self.names}


def search(
    live: LiveStack, values: Mapping[str, str], variables: Iterable[str], salt: str
) -> tuple[Mapping[str, Any], Mapping[str, Exception]]:
    """By host, what `leak_search.py` found there; and why others could not be searched."""
    sought = Sought.of(values)
    wanted = {
        "digests": list(sought.names),
        "lengths": list(sought.lengths),
        "separators": [ord(char) for char in SEPARATORS],
        "known": KNOWN,
        "logged": LOGGED,
        "names": sorted(variables),
        "salt": salt,
    }
    source = _PROGRAM.read_text().replace(
        "WANTED: dict[str, Any] = {}", f"WANTED: dict[str, Any] = {wanted!r}", 1
    )

    def look(host: FleetHost) -> Any:
        # By standard input: every account on the host can read command lines.
        run = ["/usr/bin/python3", "-IB", "-"]
        done = host.connection.run(run, source.encode(), timeout=SECONDS)
        if done.code != 0:
            last = live.redact(done.stderr).strip().splitlines()[-1:]
            raise SlipwayError(f"{host.name} could not be searched for secrets: {''.join(last)}")
        return json.loads(done.stdout)

    return answers(lambda: live.fleet.each(live.fleet.hosts, look))


def new_salt() -> str:
    """For digests that shall mean nothing to who sees them."""
    return randomness.token_hex(16)
