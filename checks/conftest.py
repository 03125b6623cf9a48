"""Fixtures of every check: the live stack, its site from outside, its hosts as testinfra sees them."""

from __future__ import annotations

import pytest

from checks.kit import plugin
from checks.kit.background import Background
from checks.kit.check import Check, check_of, not_evaluated
from checks.kit.hosts import Host, Hosts, name_of
from checks.kit.site import Person, Site, sign_in_person
from slipway.stack import LiveStack, Role


def pytest_addoption(parser: pytest.Parser) -> None:
    plugin.add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "check(of): a check of the production checklist")
    config.pluginmanager.register(plugin.Verdicts(), "slipway-verdicts")
    # At the end of every run it imports all of hypothesis through pytest's rewriting, which takes seconds.
    if config.pluginmanager.has_plugin("hypothesispytest"):
        config.pluginmanager.unregister(name="hypothesispytest")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "host" not in metafunc.fixturenames:
        return
    live = plugin.open_stack(metafunc.config)
    mark = metafunc.definition.get_closest_marker("check")
    roles = mark.args[0].roles if mark and isinstance(mark.args[0], Check) else ()
    names = [host.name for host in live.outputs.hosts if not roles or host.role in roles]
    metafunc.parametrize("host", names, indirect=True, scope="session")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    plugin.select(config, items)


@pytest.fixture(scope="session")
def live(request: pytest.FixtureRequest) -> LiveStack:
    return plugin.open_stack(request.config)


@pytest.fixture(scope="session")
def site(live: LiveStack, request: pytest.FixtureRequest) -> Site:
    """The site as a client on the internet sees it, once it is ready (or `--patience` is over)."""
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
    """The trials that checks of this run wait for; they begin with the first check."""
    background = Background(request.getfixturevalue)
    request.addfinalizer(background.close)
    checks = {check for item in request.session.items if (check := check_of(item))}
    invasive = bool(request.config.getoption("--invasive"))
    now = [check for check in checks if invasive or not check.invasive]
    background.begin(sorted({name for check in now for name in check.waits_for}))
    return background


@pytest.fixture(scope="session")
def hosts(live: LiveStack) -> Hosts:
    """All hosts of the stack."""
    return Hosts(live.outputs)


@pytest.fixture(scope="session")
def host(request: pytest.FixtureRequest, hosts: Hosts) -> Host:
    """testinfra's host: a check that takes it runs on every host of its roles."""
    return hosts[request.param]


@pytest.fixture(scope="session")
def role(host: Host, live: LiveStack) -> Role:
    """The role of `host`."""
    return live.outputs.host(name_of(host)).role


@pytest.fixture(scope="session")
def app_services(host: Host) -> list[Host]:
    """testinfra's services of the app's processes that run on `host`."""
    # testinfra has no module that lists units.
    listed = "systemctl list-units --type=service --state=running --plain --no-legend 'slipway-*@*'"
    return [host.service(line.split()[0]) for line in host.check_output(listed).splitlines() if line.strip()]


@pytest.fixture(autouse=True)
def _skip_invasive(request: pytest.FixtureRequest) -> None:
    mark = request.node.get_closest_marker("check")
    if mark and mark.args[0].invasive and not request.config.getoption("--invasive"):
        not_evaluated("it would disturb users; run it with --invasive")
