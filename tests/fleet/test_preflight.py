"""What preflight refuses on a live stack, before anything is touched."""

import pytest

from tests.fleet.command import slipway
from tests.fleet.sabotage import edit
from tests.fleet.site import Site

pytestmark = pytest.mark.fleet


def refused(site: Site, *args: str) -> str:
    """The error of a release that must be refused as bad input and leave the live one alone."""
    before = site.live()
    ran = slipway(site.root, "release", "--json", "--no-checks", *args)
    assert ran.code == 2, ran.out + ran.err
    assert site.live() == before
    return ran.error


def test_a_missing_secret_is_named_with_the_command_that_makes_it(site: Site):
    slipway(site.root, "secrets", "unset", "CRON_SECRET")
    try:
        told = refused(site)
    finally:
        slipway(site.root, "secrets", "generate")
    assert "CRON_SECRET" in told
    assert "slipway secrets generate" in told


def test_a_weak_secret_is_refused_without_showing_it(site: Site):
    weak = "changeme-changeme-changeme-changeme"
    slipway(site.root, "secrets", "set", "WEBHOOK_SECRET", stdin=weak)
    try:
        told = refused(site)
    finally:
        slipway(site.root, "secrets", "generate", "--rotate", "WEBHOOK_SECRET")
    assert "WEBHOOK_SECRET" in told
    assert weak not in told


def test_a_migration_that_would_lock_a_table_is_told_by_file_line_and_rule(site: Site):
    with site.kept_source():
        edit(site.app / "slipway.toml", "[migrate]\n", '[migrate]\nlint = "refuse"\n')
        for kind in ("up", "down"):
            (site.app / f"migrations/9400_lock.{kind}.sql").write_text(
                "CREATE INDEX by_title ON tasks (title);\n"
            )
        told = refused(site)
    assert "9400_lock.up.sql:1" in told
    assert "require-concurrent-index-creation" in told


def test_a_secret_in_the_source_is_refused_by_file_and_line_and_not_shown(site: Site):
    key = "AKIA" + "Q7T2ZK4M5XW3BVYN"
    with site.kept_source():
        (site.app / "src" / "leak.ts").write_text(f'export const key = "{key}";\n')
        told = refused(site)
    assert "leak.ts:1" in told
    assert key not in told


def test_a_broken_slipway_toml_is_refused_with_line_and_key(site: Site):
    with site.kept_source():
        edit(site.app / "slipway.toml", "hold_seconds = 3600", 'hold_seconds = "an hour"')
        ran = slipway(site.root, "release", "--json")
    assert ran.code == 2
    assert "retire.hold_seconds" in ran.error
    assert "slipway.toml:" in ran.error


def test_hosts_that_were_set_up_for_other_settings_must_be_brought_in_line_first(site: Site):
    with site.kept_source():
        edit(site.app / "slipway.toml", "requests_per_minute = 600", "requests_per_minute = 601")
        told = refused(site)
    assert "slipway up" in told
