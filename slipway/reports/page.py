"""One look for every HTML page that slipway writes: self-contained, light and dark."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

_STYLE = Path(__file__).with_name("style.css")


def render(template: Path, filters: Mapping[str, Any], **values: object) -> str:
    """The HTML text of a Jinja2 `template`: `style` is the style sheet, `filters` are its own."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    for name, made in filters.items():
        environment.filters[name] = made
    style = Markup(_STYLE.read_text())  # noqa: S704 - a file of ours
    return environment.from_string(template.read_text()).render(style=style, **values)
