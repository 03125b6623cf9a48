"""Rendering of templates/: an undefined name is an error, never an empty string."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_BESIDE = Path(__file__).resolve().parent.parent / "templates"
TEMPLATES = _BESIDE if _BESIDE.is_dir() else Path(__file__).resolve().parent / "templates"


def render(template: str, **values: object) -> str:
    """The text of `templates/<template>`. Raises jinja2.UndefinedError for a name that is not in `values`."""
    return _environment().get_template(template).render(**values)


def verbatim(name: str) -> str:
    """A file of templates/ as it is."""
    return (TEMPLATES / name).read_text()


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # noqa: S701 - configuration files, not HTML
    )
