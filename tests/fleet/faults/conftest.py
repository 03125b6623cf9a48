"""Which cells run: a third of the matrix, another one each day, or all of them (`script/test proof`)."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tests.fleet.faults.matrix import WHICH, Cell, chosen, share_of_today
from tests.fleet.sabotage import edit
from tests.fleet.site import Site


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Cells that are named on the command line run whatever the day."""
    if config.option.keyword or any("::" in arg for arg in config.args):
        return
    share = share_of_today()
    wanted = chosen(share)
    left_out = [item for item in items if (cell := cell_of(item)) and cell not in wanted]
    if not left_out and not any(cell_of(item) for item in items):
        return
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        reporter.write_line(
            f"faults: {share} of the matrix, {len(wanted)} cells ({WHICH}={share} repeats it)"
        )
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in set(left_out)]


def cell_of(item: pytest.Item) -> Cell | None:
    """The cell that a test runs."""
    callspec = getattr(item, "callspec", None)
    cell = callspec.params.get("cell") if callspec else None
    return cell if isinstance(cell, Cell) else None


@pytest.fixture(scope="package")
def calm(live_site: Site) -> Generator[Site]:
    """The live site, whose releases are not judged by how fast two shared processors are."""
    with live_site.kept_source():
        edit(live_site.app / "slipway.toml", "p95_ms = 500", "p95_ms = 5000")
        yield live_site
