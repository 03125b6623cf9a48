"""What checks and load tests leave in a folder: a page for people, the same as JSON for programs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

__all__ = ["Reports"]


@dataclass(frozen=True)
class Reports:
    """The reports of a run; nothing in them is secret."""

    folder: Path
    """Where report.html, results.json, junit.xml and history.jsonl are."""

    def forget(self) -> None:
        """What an earlier run found must not be taken for the next one's."""
        self._results.unlink(missing_ok=True)

    @property
    def report(self) -> Path:
        """The page for people."""
        return self.folder / "report.html"

    @cached_property
    def document(self) -> dict[str, Any]:
        """results.json: stack, url, release, started, seconds, what was found. Empty: nothing could run."""
        file = self._results
        return cast("dict[str, Any]", json.loads(file.read_text())) if file.exists() else {}

    @property
    def _results(self) -> Path:
        return self.folder / "results.json"
