"""Runs the checks' plugin on checks that a test writes, for a stack that does not exist."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.forked import forked_pytest

CANARY = "canary-Zk3vQ9-secret"
"""The only secret of that stack."""
CONFTEST = f'''
import pytest
from types import SimpleNamespace
from pathlib import Path
from checks.conftest import *
from checks.kit import plugin
from slipway.settings import Host
from slipway.settings.checks import Checks

def a_host(name, role):
    return Host(name=name, roles=role, address="", ssh_host="")

class Live:
    stack = SimpleNamespace(purpose="preview")
    app = SimpleNamespace(checks=Checks())
    part = None
    name, url, release = "paper", "https://paper.example", 7
    outputs = SimpleNamespace(hosts=[a_host("web1", "web"), a_host("web2", "web"), a_host("data1", "data")])
    state_dir = Path("state")
    settings_path = "app/slipway.toml"

    def redact(self, text):
        return text.replace("{CANARY}", "***")

plugin.open_live = lambda name, part: Live()
Live.secrets = {{}}

@pytest.fixture(scope="session")
def host(request):
    return request.param
'''
HEAD = """
import pytest
from checks.kit.check import check, not_evaluated, skipped
RULE = dict(severity="high", why="because", remedy="fix it")
"""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "check(of): a check of the production checklist")


@dataclass(frozen=True)
class Ran:
    code: int
    said: str
    folder: Path

    @property
    def results(self) -> list[dict[str, Any]]:
        return json.loads((self.folder / "results.json").read_text())["results"]

    @property
    def verdicts(self) -> dict[str, str]:
        return {
            each["id"] + (f"@{each['host']}" if each["host"] else ""): each["verdict"]
            for each in self.results
        }


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Ran]:
    """Runs the checks in a source text, with options, as `pytest checks/` would; `also` changes the stack."""

    def ran(source: str, *options: str, also: str = "") -> Ran:
        folder = tmp_path / "tried"
        folder.mkdir(exist_ok=True)
        (folder / "conftest.py").write_text(CONFTEST + also)
        (folder / "test_tried.py").write_text(HEAD + source)
        argv = ["-c", "/dev/null", "--rootdir", str(folder), str(folder), "-q", "-p", "no:cacheprovider"]
        said = tmp_path / "said"
        code = forked_pytest([*argv, "--report-dir", str(tmp_path / "reports"), *options], tmp_path, said, 60)
        return Ran(code, said.read_text(), tmp_path / "reports")

    return ran
