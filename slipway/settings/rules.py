"""What makes a well-formed slipway.toml mean something: rules across keys, by subject."""

from __future__ import annotations

from pathlib import Path

from slipway.settings.app import App
from slipway.settings.build_rules import build_rules
from slipway.settings.env_rules import env_rules
from slipway.settings.process_rules import process_rules
from slipway.settings.traffic_rules import traffic_rules
from slipway.settings.violations import Broken


def broken_rules(app: App, folder: Path) -> list[Broken]:
    """Everything in `app` that cannot work; `folder` is the one slipway.toml is in."""
    return [*build_rules(app, folder), *process_rules(app), *env_rules(app), *traffic_rules(app)]
