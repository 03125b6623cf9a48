"""A rollback to a build that is cold runs what that build's own slipway.toml declared."""

import pytest

from tests.fleet.command import slipway
from tests.fleet.sabotage import edit
from tests.fleet.site import Site

pytestmark = pytest.mark.fleet

STEP = """
[[smoke.steps]]
name = "has the newer route"
request = "GET /api/public/newer"
"""
SUMMARY = '.get("/api/public/summary"'
NEWER = f'.get("/api/public/newer", () => "newer")\n    {SUMMARY}'


def test_old_code_is_not_smoke_tested_by_the_steps_of_newer_code(site: Site):
    site.change("without the newer route")
    site.release()
    oldest = site.live()
    with site.kept_source():
        edit(site.app / "src/routes/open.ts", SUMMARY, NEWER)
        toml = site.app / "slipway.toml"
        toml.write_text(toml.read_text() + STEP)
        for text in ("with the newer route", "and once more"):
            site.change(text)
            site.release()
        assert site.get("/api/public/newer").text == "newer"
        back = slipway(site.root, "rollback", "--to", str(oldest), "--json")
    assert back.code == 0, back.out + back.err
    assert back.json["warm"] is False
    assert site.live() == oldest
    assert site.get("/api/public/newer").status_code == 404
