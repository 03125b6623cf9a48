"""What every check may take: the live stack, its site from outside, its hosts."""

from __future__ import annotations

import pytest

from checks.kit import plugin
from checks.kit.background import Background
from checks.kit.check import Check, check_of, not_evaluated
from checks.kit.hosts import Hosts, LiveHost
from checks.kit.site import Person, Site, sign_in_person
from slipway.stack import LiveStack


def pytest_addoption(parser: pytest.Parser) -> None:
    plugin.add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "check(of): a check of the production checklist")
    config.pluginmanager.register(plugin.Verdicts(), "slipway-verdicts")
    # At the end of every run it imports all of hypothesis, through pytest's rewriting: seconds for nothing.
    if config.pluginmanager.has_plugin("hypothesispytest"):
        config.pluginmanager.unregister(name="hypothesispytest")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "host_name" not in metafunc.fixturenames:
        return
    live = plugin.open_stack(metafunc.config)
    mark = metafunc.definition.get_closest_marker("check")
    roles = mark.args[0].roles if mark and isinstance(mark.args[0], Check) else ()
    names = [host.name for host in live.outputs.hosts if not roles or host.role in roles]
    metafunc.parametrize("host_name", names, scope="session")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    plugin.open_stack(config)
    plugin.select(config, items)


@pytest.fixture(scope="session")
def live(request: pytest.FixtureRequest) -> LiveStack:
    """The stack."""
    return plugin.open_stack(request.config)


@pytest.fixture(scope="session")
def site(live: LiveStack, request: pytest.FixtureRequest) -> Site:
    """The site as a client on the internet sees it; waited for, for at most `--patience`."""
    site = Site(live, patience=float(str(request.config.getoption("--patience"))))
    site.wait_until_ready()
    request.addfinalizer(site.close)
    return site


@pytest.fixture(scope="session")
def person(site: Site, live: LiveStack) -> Person:
    """The smoke user, signed in."""
    if not live.app.smoke.steps:
        not_evaluated("declare how to sign in: [[smoke.steps]] in slipway.toml")
    return sign_in_person(site, live)


@pytest.fixture(scope="session", autouse=True)
def background(request: pytest.FixtureRequest) -> Background:
    """Trials that take long: those that checks of this run wait for are begun at once."""
    background = Background()
    request.addfinalizer(background.close)
    found = (check_of(item) for item in request.session.items)
    wanted = {name for check in found if check for name in check.waits_for}
    if wanted:
        background.begin_planned(wanted, request.getfixturevalue("site"), request.getfixturevalue("hosts"))
    return background


@pytest.fixture(scope="session")
def hosts(live: LiveStack, request: pytest.FixtureRequest) -> Hosts:
    """All hosts, over kept connections."""
    hosts = Hosts(live)
    request.addfinalizer(hosts.close)
    return hosts


@pytest.fixture(scope="session")
def host(hosts: Hosts, host_name: str) -> LiveHost:
    """One host: a check that takes it runs on every host of its roles."""
    return hosts[host_name]


@pytest.fixture(autouse=True)
def _asked_for_invasive(request: pytest.FixtureRequest) -> None:
    mark = request.node.get_closest_marker("check")
    if mark and mark.args[0].invasive and not request.config.getoption("--invasive"):
        not_evaluated("it would disturb users; run it with --invasive")
