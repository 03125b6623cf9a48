"""templates/: where they are and how they are rendered. An undefined name is an error, not empty text."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_BESIDE = Path(__file__).resolve().parent.parent / "templates"
TEMPLATES = _BESIDE if _BESIDE.is_dir() else Path(__file__).resolve().parent / "templates"
JINJA: dict[str, Any] = {"trim_blocks": True, "lstrip_blocks": True}
"""For `files.template`, which is strict about undefined names by itself."""


def template(name: str) -> str:
    """Path of a file in templates/, for `files.put` and `files.template`."""
    return str(TEMPLATES / name)


def render(name: str, **values: object) -> str:
    """The text of `templates/<name>`. Raises jinja2.UndefinedError for a name that is not in `values`."""
    return _environment().get_template(name).render(**values)


def verbatim(name: str) -> str:
    """A file of templates/ as it is."""
    return (TEMPLATES / name).read_text()


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - configuration files, not HTML
        **JINJA,
    )
