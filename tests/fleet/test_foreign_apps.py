"""Apps as their ecosystems write them: each check that runs on them passes, the rest say why not."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from slipway.settings import open_project
from slipway.stack import LiveStack
from tests.fleet.checks.conftest import PROOF
from tests.fleet.command import slipway
from tests.fleet.foreign import SERVICES, Foreign, adopted, assert_no_red
from tests.fleet.libsql import libsql_server, own_address

# A fleet for each, so `script/test proof` runs it; its quick half is tests/unit/checks/test_foreign_site.py.
pytestmark = PROOF
FOREIGN = (
    Foreign("plain"),
    Foreign("gobinary", SERVICES, {}),
    Foreign("hono"),
    Foreign("chat", ("redis",), {"web": 2, "worker": 0}),
    Foreign("mono", ("redis",), {"web": 1, "worker": 1}),
    Foreign("next"),
    Foreign("django", ("database", "redis"), {"web": 2, "worker": 0}),
)
TOOLS = {"gobinary": "go", "hono": "npm", "next": "npm", "django": "uv"}
"""What a stand-in is built with, beside its runtime."""


@pytest.fixture(scope="module", params=FOREIGN, ids=str)
def root(request: pytest.FixtureRequest) -> Generator[Path]:
    """A project to whose fleet the stand-in was released."""
    foreign: Foreign = request.param
    if (tool := TOOLS.get(foreign.name)) and not shutil.which(tool):
        pytest.skip(f"needs {tool}")
    with adopted(foreign) as root, libsql_of(root) if foreign.name == "mono" else nullcontext():
        released = slipway(root, "release", "--json", "--observe", "0", timeout=900)
        assert released.code == 0, released.out + released.err
        yield root


@contextmanager
def libsql_of(root: Path) -> Generator[None]:
    """The monorepo's database, on this machine; the project's settings and secrets say where."""
    token = secrets.token_hex(32)
    web = LiveStack(open_project("local", root)).outputs.by_role("web")[0]
    with libsql_server(own_address(web.address), token) as url:
        settings = root / "Pulumi.local.yaml"
        kept = settings.read_text().partition("  slipway:env:")[0]
        settings.write_text(f"{kept}  slipway:env:\n    LIBSQL_URL: {url}\n")
        assert slipway(root, "secrets", "set", "LIBSQL_AUTH_TOKEN", stdin=token).code == 0
        yield


def test_no_check_is_red_for_no_fault_of_the_app(root: Path) -> None:
    assert_no_red(root)
