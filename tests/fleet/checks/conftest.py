"""A fleet with a release to roll back to, on which all checks pass before and after the sabotage."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

from tests.fleet.checks.harness import Case, run_checks
from tests.fleet.site import Site

EVERY = "SLIPWAY_SABOTAGE"
PROOF = pytest.mark.skipif(os.environ.get(EVERY) != "all", reason=f"{EVERY}=all runs it")
"""Marks what takes minutes: `script/test proof` runs it."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """One case for each file and row of the checklist; SLIPWAY_SABOTAGE=all: every case."""
    chosen = config.option.keyword or any("::" in arg for arg in config.args)
    if chosen or os.environ.get(EVERY) == "all":
        return
    classes = set[tuple[str, str]]()
    left_out: list[pytest.Item] = []
    for item in items:
        callspec = getattr(item, "callspec", None)
        case = callspec.params.get("case") if callspec else None
        if not isinstance(case, Case):
            continue
        kind = item.path.name, case.red[0].partition("/")[0]
        if kind in classes:
            left_out.append(item)
        classes.add(kind)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]


@pytest.fixture(scope="package")
def whole(live_site: Site) -> Generator[Site]:
    """The live site with two releases. All checks pass before the first sabotage and after the last."""
    if not live_site.project.state_dir.joinpath("sabotage").exists() or live_site.live() < 2:
        live_site.change("a second release, so that there is one to roll back to")
        live_site.release()
    live_site.wait_until_healthy()
    _all_green(live_site, "before any sabotage")
    yield live_site
    live_site.wait_until_healthy()
    _all_green(live_site, "after all sabotage was undone")


def _all_green(site: Site, when: str) -> None:
    found = run_checks(site.root)
    assert found.code == 0, f"{when}: {found.said}"
    assert len(found.ids("pass")) >= 90, f"{when}: {found.said}"
