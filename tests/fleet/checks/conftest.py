"""A fleet that has a way back, and the promise that it is whole when all sabotage is over."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tests.fleet.checks.harness import run_checks
from tests.fleet.site import Site


@pytest.fixture(scope="session")
def whole(live_site: Site) -> Generator[Site]:
    """The live site with two releases, all checks green before the first sabotage and after the last."""
    if not live_site.project.state_dir.joinpath("sabotage").exists() or live_site.live() < 2:
        live_site.change("a second release, so that there is a way back")
        live_site.release()
    live_site.wait_until_healthy()
    _all_green(live_site, "before any sabotage")
    yield live_site
    live_site.wait_until_healthy()
    _all_green(live_site, "after all sabotage was taken back")


def _all_green(site: Site, when: str) -> None:
    found = run_checks(site.root)
    assert found.code == 0, f"{when}: {found.said}"
    assert len(found.ids("pass")) >= 90, f"{when}: {found.said}"
