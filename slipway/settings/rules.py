"""What makes a well-formed slipway.toml mean something: rules across keys."""

from __future__ import annotations

from pathlib import Path

from slipway.settings.app import App
from slipway.settings.violations import KeyPath

Broken = tuple[KeyPath, str, str]
"""Key path, problem, remedy."""


def broken_rules(app: App, folder: Path) -> list[Broken]:
    """Everything in `app` that cannot work; `folder` is the one slipway.toml is in."""
    return []
