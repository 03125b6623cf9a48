"""One promise of a load run, and what was found: a row of every report."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Verdict = Literal["fail", "no data", "pass", "not judged"]
VERDICTS: tuple[Verdict, ...] = ("fail", "no data", "pass", "not judged")
"""The worst first. `not judged`: too few samples of something that no threshold names."""


DASH = "\N{EN DASH}"
"""Where there is no number."""


class Finding(BaseModel):
    """What was promised, and what was found."""

    model_config = ConfigDict(frozen=True)

    kind: str = ""
    """Kind of the requests; empty: the run as a whole."""
    name: str = ""
    measure: str
    """`p95`, `errors`, `open sockets at the peak`, …"""
    verdict: Verdict
    found: str
    """With its unit; what was wrong if there was nothing to find."""
    limit: str = ""
    """With its unit."""
    samples: int = 0

    @property
    def subject(self) -> str:
        """Of what it tells."""
        return f"{self.kind} {self.name}".strip() or "run"

    @property
    def sentence(self) -> str:
        """In one line."""
        return f"{self.subject}: {self.measure} {self.found}" + (f" ({self.limit})" if self.limit else "")


def milliseconds(ms: float) -> str:
    """As a person reads it: three digits, and no more than were measured."""
    if ms >= 10_000:
        return f"{ms / 1000:.1f} s"
    return f"{ms:.0f} ms" if ms >= 100 else f"{ms:.3g} ms"


def share(ratio: float) -> str:
    """A ratio as a percentage; something is never shown as nothing."""
    return "0 %" if ratio == 0 else f"{ratio * 100:.2g} %" if ratio < 0.1 else f"{ratio * 100:.0f} %"
