"""The history of runs of one kind, checks or load: one line of JSON a run, the newest last."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

Past = TypeVar("Past", bound=BaseModel)


def read_runs(file: Path, model: type[Past]) -> list[Past]:
    """All runs that `file` holds, oldest first. Lines that cannot be read are let go."""
    found: list[Past] = []
    for line in file.read_text().splitlines() if file.exists() else []:
        try:
            found.append(model.model_validate_json(line))
        except ValidationError:
            continue
    return found


def add_run(file: Path, run: Past, *, kept: int) -> list[Past]:
    """Adds `run`, keeps the newest `kept`, and returns them. A kill leaves the file whole."""
    past = [*read_runs(file, type(run)), run][-kept:]
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_suffix(f".{os.getpid()}.new")
    fresh.write_text("".join(f"{each.model_dump_json()}\n" for each in past))
    fresh.replace(file)
    return past
