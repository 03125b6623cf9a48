"""A project's own checks beside these: its checks/conftest.py imports ours, `pytest checks/` runs both."""

from pathlib import Path

import pytest

KIT = Path(__file__).resolve().parents[1]


VERDICTS = "slipway-verdicts"
"""Name of the plugin that makes a run one of checks."""


def began_with_checks(config: pytest.Config) -> bool:
    """Whether our options were known when the command line was read.

    They are not in a run of a project's own tests, which finds the conftest.py of checks/ while it collects.
    """
    return hasattr(config.option, "only_hosts")


def add_kit(config: pytest.Config) -> None:
    """Where a project's whole folder of checks is to run, run ours too."""
    named = [(config.invocation_params.dir / each).resolve() for each in config.args]
    if KIT not in named and any(_imports_ours(folder) for folder in named):
        config.args.append(str(KIT))


def _imports_ours(folder: Path) -> bool:
    """Whether `folder` is a project's checks, and its conftest.py the one that `slipway init` writes."""
    file = folder / "conftest.py"
    is_a_projects = (folder.parent / "Pulumi.yaml").is_file() and file.is_file()
    return is_a_projects and "checks.conftest" in file.read_text(encoding="utf-8")
