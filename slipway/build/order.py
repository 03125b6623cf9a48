"""What a build is made of and made with: handed from step to step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from slipway.build.command import run_command
from slipway.build.runtime import Installed
from slipway.build.source import Source
from slipway.settings.app import App


@dataclass(frozen=True)
class Order:
    """One build on order. `runtime` None: the app brings its own."""

    app: App
    source: Source
    runtime: Installed | None = None
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    """The whole environment of the build's commands."""
    redact: Callable[[str], str] = str
    line: Callable[[str], None] = lambda _: None

    @property
    def runtime_home(self) -> Path | None:
        """The folder whose `.runtime` the commands see."""
        return self.runtime.home if self.runtime else None

    def run(self, title: str, command: str, directory: Path) -> None:
        """Run one of the build's commands; see `run_command`."""
        run_command(
            title,
            command,
            directory=directory,
            env=self.env,
            timeout=self.app.build.timeout_seconds,
            redact=self.redact,
            line=self.line,
        )
