"""Writes `.env.example` from the env contract: every name, what it is for, and no real value (P5)."""

from __future__ import annotations

import textwrap

from slipway.settings.app import App, EnvVar

_WIDTH = 100


def env_example(app: App) -> str:
    """The text of `.env.example`. Settings stand with their value; secrets and outputs are left empty."""
    blocks = [
        f"# Environment of {app.name}, made from [env] of slipway.toml. "
        "Copy to .env for development; never commit that."
    ]
    for name, var in app.env.items():
        lines = [f"# {line}" for line in textwrap.wrap(_describe(var), _WIDTH - 2)]
        value = var.value if var.value is not None and not var.secret else ""
        blocks.append("\n".join([*lines, f"{name}={_quoted(value)}"]))
    return "\n\n".join(blocks) + "\n"


def _describe(var: EnvVar) -> str:
    said = [f"{var.describe.rstrip('.')}."] if var.describe else []
    if var.secret:
        said.append("Secret.")
    if var.source:
        said.append(f"On a stack: {var.source}.")
    if var.kind != "string":
        said.append(f"Form: {var.kind}.")
    if var.min_length:
        said.append(f"At least {var.min_length} characters.")
    if var.client:
        said.append("Browsers see it.")
    if var.optional:
        said.append("Optional.")
    return " ".join(said)


def _quoted(value: str) -> str:
    if value and not all(char.isalnum() or char in "_-./:@,+=%" for char in value):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    return value
