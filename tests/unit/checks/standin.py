"""A pytest plugin: the stack of a stand-in app behind a real edge on this machine, as seen from outside."""

from __future__ import annotations

import json
import os
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from checks.kit import plugin
from slipway.secrets.redact import Redactor
from slipway.settings import Outputs, Stack, load_app
from slipway.stack import LiveStack

PLACE = "SLIPWAY_STANDIN"
"""Names the file that says where the stand-in is."""


class Standin(LiveStack):
    """A stack whose site is up, and whose hosts no one can reach."""

    def __init__(self, file: Path) -> None:
        self._place: dict[str, Any] = json.loads(file.read_text())
        folder = Path(self._place["folder"])
        project = SimpleNamespace(
            app=load_app(folder), app_dir=folder, root=folder, toml=folder / "slipway.toml",
            state_dir=file.parent / "state",
            stack=Stack(name="standin", project="standin", platform="local"),
        )  # fmt: skip
        super().__init__(cast("Any", project))

    @property
    def outputs(self) -> Outputs:
        return Outputs.model_validate(self._place["outputs"])

    @property
    def plain_address(self) -> tuple[str, int]:
        return "127.0.0.1", self._place["plain_port"]

    @property
    def release(self) -> int:
        return 1

    @cached_property
    def secrets(self) -> dict[str, str]:
        return {"SLIPWAY_LOAD_KEY": self._place["load_key"]}

    @cached_property
    def redactor(self) -> Redactor:
        return Redactor(self.secrets)


def open_standin(stack: str, part: int | None) -> LiveStack:
    """The stand-in, whatever the stack's name."""
    assert stack
    assert part is None
    return Standin(Path(os.environ[PLACE]))


plugin.open_live = open_standin
