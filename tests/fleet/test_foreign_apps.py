"""Apps as their ecosystems write them: each check that runs on them passes, the rest say why not."""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.fleet.checks.conftest import EVERY
from tests.fleet.command import slipway
from tests.fleet.foreign import SERVICES, Foreign, adopted, assert_no_red

# A fleet for each, so `script/test proof` runs it; its quick half is tests/unit/checks/test_foreign_site.py.
pytestmark = pytest.mark.skipif(os.environ.get(EVERY) != "all", reason=f"{EVERY}=all runs it")
FOREIGN = (
    Foreign("plain"),
    Foreign("gobinary", SERVICES, {}),
    Foreign("hono"),
    Foreign("chat", ("redis",), {"web": 2, "worker": 0}),
)
TOOLS = {"gobinary": "go", "hono": "npm"}
"""What a stand-in is built with, beside its runtime."""


@pytest.fixture(scope="module", params=FOREIGN, ids=str)
def root(request: pytest.FixtureRequest) -> Generator[Path]:
    """A project to whose fleet the stand-in was released."""
    foreign: Foreign = request.param
    if (tool := TOOLS.get(foreign.name)) and not shutil.which(tool):
        pytest.skip(f"needs {tool}")
    with adopted(foreign) as root:
        released = slipway(root, "release", "--json", "--observe", "0", timeout=900)
        assert released.code == 0, released.out + released.err
        yield root


def test_no_check_is_red_for_no_fault_of_the_app(root: Path) -> None:
    assert_no_red(root)
