"""`locust -f loadtests/` as a person runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def locust(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "locust", "-f", str(ROOT / "loadtests"), *arguments],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip


def test_prod_is_refused_without_i_know(tmp_path: Path):
    refused = locust(tmp_path, "--headless", "--stack", "prod")
    assert refused.returncode == 2
    assert "real users would feel it" in refused.stderr
    assert "--i-know" in refused.stderr


def test_a_stack_that_cannot_be_opened_is_told_of_without_a_traceback(tmp_path: Path):
    refused = locust(tmp_path, "--headless", "--stack", "prod", "--i-know")
    assert refused.returncode == 2
    assert "Traceback" not in refused.stderr
    assert "Pulumi.yaml" in refused.stderr


@pytest.mark.parametrize("profile", ["marathon", ""])
def test_a_profile_that_there_is_not_is_refused_with_those_there_are(tmp_path: Path, profile: str):
    refused = locust(tmp_path, "--headless", "--profile", profile)
    assert refused.returncode == 2
    assert "'storm'" in refused.stderr


def test_the_scenarios_are_found_and_nothing_else(tmp_path: Path):
    listed = locust(tmp_path, "--list")
    assert listed.returncode == 0
    named = {word for word in listed.stdout.split() if word[0].isupper() and word != "Available"}
    assert {"Api", "Author", "Browser", "SlowReader", "Watcher"} <= named
    assert not named & {"HttpUser", "SocketUser", "ProfileShape"}
