"""`slipway promote`: one stack proves a build, another one serves the very same."""

import ssl
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from slipway.platforms.platform import platform_of
from slipway.progress import Silent
from slipway.settings import open_project
from slipway.stack import LiveStack
from tests.fleet.command import Ran, slipway
from tests.fleet.site import Site
from tests.ports import local_fleet_ports

pytestmark = pytest.mark.fleet

SECOND = "second"


@pytest.fixture(scope="module")
def second(live_site: Site) -> Generator[LiveStack]:
    """Stack `second` of the same project: one host with every role, to which nothing was released."""
    settings = live_site.root / f"Pulumi.{SECOND}.yaml"
    local = {"one_host": True, **local_fleet_ports()}
    config = {"slipway:platform": "local", "slipway:app": "board", "slipway:local": local}
    settings.write_text(yaml.safe_dump({"config": config}))
    project = open_project(SECOND, live_site.root)
    platform = platform_of(project)
    try:
        platform.bring_up(Silent())
        assert slipway(live_site.root, "secrets", "generate", "--stack", SECOND).code == 0
        yield LiveStack(project)
    finally:
        platform.take_down(Silent(), volumes=True)
        settings.unlink()


@pytest.fixture(scope="module")
def proved(live_site: Site, second: LiveStack) -> dict[str, Any]:
    """A release of `local` that proved itself by its critical checks."""
    del second
    live_site.change("a build to promote")
    settings = live_site.root / "Pulumi.local.yaml"
    kept = settings.read_text()
    settings.write_text(kept.rstrip() + "\n  slipway:prove:\n    checks: critical\n")
    try:
        released = slipway(live_site.root, "release", "--json", "--observe", "0", "--no-checks", timeout=600)
    finally:
        settings.write_text(kept)
    assert released.code == 0, released.out + released.err
    return released.json


def promote(root: Path, *args: str) -> Ran:
    return slipway(root, "promote", "--json", "--observe", "0", *args, timeout=600)


def status(root: Path, stack: str) -> dict[str, Any]:
    return slipway(root, "status", "--json", "--stack", stack).json


def test_what_proved_nothing_goes_nowhere(site: Site, second: LiveStack):
    site.change("a build that proved nothing")
    site.release()
    refused = promote(site.root, "--from", "local", "--to", SECOND)
    assert refused.code == 2
    assert "proved nothing after its switch" in refused.error
    assert status(site.root, SECOND)["live"] is None


def test_the_very_build_that_was_proved_serves_on_the_other_stack(
    site: Site, second: LiveStack, proved: dict[str, Any]
):
    promoted = promote(site.root, "--from", "local", "--to", SECOND)
    assert promoted.code == 0, promoted.out + promoted.err
    assert promoted.json["build"] == proved["build"]
    context = ssl.create_default_context(cafile=second.outputs.ca_file)
    with httpx.Client(base_url=second.outputs.url, verify=context) as client:
        assert client.get("/health").json()["release"] == promoted.json["release"]
    (host,) = status(site.root, SECOND)["hosts"]
    assert host["active"]["build"] == proved["build"]


def test_the_other_stack_can_say_what_was_proved_and_where(
    site: Site, second: LiveStack, proved: dict[str, Any]
):
    verified = slipway(site.root, "verify", "--json", "--stack", SECOND)
    assert verified.code == 0, verified.err
    assert f"release {proved['release']} of local" in verified.json["promoted"]
