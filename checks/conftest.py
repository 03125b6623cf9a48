"""Fixtures of every check: the live stack, its site from outside, its hosts as testinfra sees them."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import cast

import pytest

from checks.data.services import shut_out
from checks.kit import budget, in_turn, plugin
from checks.kit.background import Background, keep_environment
from checks.kit.beside import VERDICTS, add_kit, began_with_checks
from checks.kit.check import Check, check_of
from checks.kit.hosts import Host, Hosts, name_of
from checks.kit.in_turn import services_on, those_that_serve
from checks.kit.roots import Roots, stand_on
from checks.kit.site import Person, Site, declared_request
from slipway.stack import LiveStack, Role

SELECTED = pytest.StashKey[bool]()
"""The hooks here are called once more for a project's conftest.py that imports them."""


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    known = parser.getgroup("slipway").options  # a project's conftest.py that imports this one was first
    if not known and not pluginmanager.has_plugin("session"):
        # locust's plugin for pytest takes --host.
        plugin.add_options(parser, host="--on-host" if pluginmanager.has_plugin("locust") else "--host")


def pytest_configure(config: pytest.Config) -> None:
    if not began_with_checks(config) or config.pluginmanager.has_plugin(VERDICTS):
        return
    add_kit(config)
    keep_environment(config)
    config.addinivalue_line("markers", "check(of): a check of the production checklist")
    config.pluginmanager.register(plugin.Verdicts(), VERDICTS)
    # At the end of every run it imports all of hypothesis through pytest's rewriting, which takes seconds.
    if config.pluginmanager.has_plugin("hypothesispytest"):
        config.pluginmanager.unregister(name="hypothesispytest")


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    return None if began_with_checks(config) else True


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "host" not in metafunc.fixturenames:
        return
    live = plugin.open_stack(metafunc.config)
    mark = metafunc.definition.get_closest_marker("check")
    roles = mark.args[0].roles if mark and isinstance(mark.args[0], Check) else ()
    names = [host.name for host in live.outputs.hosts if not roles or host.is_any(*roles)]
    # Without such a host, one item for the stack says which key declares one.
    metafunc.parametrize("host", names or [""], indirect=True, scope="session")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.pluginmanager.has_plugin(VERDICTS) and SELECTED not in config.stash:
        config.stash[SELECTED] = True
        plugin.select(config, items)


@pytest.fixture(scope="session")
def live(request: pytest.FixtureRequest) -> LiveStack:
    return plugin.open_stack(request.config)


@pytest.fixture(scope="session")
def edge(live: LiveStack, hosts: Hosts, request: pytest.FixtureRequest) -> Site:
    """The site from outside, also if it does not answer or its certificate is not trusted."""
    edge = Site(live, patience=float(str(request.config.getoption("--patience"))))
    request.addfinalizer(edge.close)
    request.config.stash[plugin.ROOTS] = Roots(edge, hosts, edge.patience, lambda: shut_out(live))
    return edge


@pytest.fixture(scope="session")
def roots(edge: Site, request: pytest.FixtureRequest) -> Roots:
    """What other checks stand on. The checks that report it as broken take this."""
    del edge
    return request.config.stash[plugin.ROOTS]


@pytest.fixture(scope="session")
def site(edge: Site, roots: Roots) -> Site:
    """The site as a client on the internet sees it, once it is ready (or `--patience` is over)."""
    stand_on(roots.site())
    return edge


@pytest.fixture(scope="session")
def person(site: Site, roots: Roots) -> Person:
    """The smoke user, signed in."""
    del site
    return roots.person()


@pytest.fixture(scope="session")
def guarded(site: Site, roots: Roots) -> tuple[str, str]:
    """Method and path of `checks.signed_in`, which refuses anonymous clients."""
    stand_on(roots.closed())
    return declared_request(site, "signed_in")


@pytest.fixture(scope="session")
def signed_in(guarded: tuple[str, str], person: Person, roots: Roots) -> tuple[str, str]:
    """The same, which lets the smoke user in."""
    del person
    stand_on(roots.let_in())
    return guarded


@pytest.fixture(scope="session", autouse=True)
def background(request: pytest.FixtureRequest) -> Background:
    """The trials that checks of this run wait for; they begin with the first check."""
    background = Background(request.getfixturevalue)
    request.addfinalizer(background.close)
    functions = {check: item for item in request.session.items if (check := check_of(item))}
    now = [check for check in functions if not plugin.why_not_now(request.config, check)]
    background.begin(sorted({name for check in now for name in check.waits_for}))
    background.run_ahead(plugin.function_of(functions[check]) for check in now if check.ahead)
    _read_hosts(request, background, set(now))
    return background


def _read_hosts(request: pytest.FixtureRequest, background: Background, now: set[Check]) -> None:
    """Begin the checks that only read a host. If a fixture fails, each of them says so in its turn."""
    reading = [
        (host, cast("pytest.Function", item))
        for item in request.session.items
        if (host := plugin.host_of(item)) and check_of(item) in now and in_turn.only_reads_a_host(item)
    ]
    if not reading:
        return
    try:
        live, hosts, roots = map(request.getfixturevalue, ("live", "hosts", "roots"))
    except (Exception, pytest.fail.Exception, pytest.skip.Exception):
        return
    for calls in in_turn.calls(reading, lambda host: in_turn.OnHost(host, live, hosts, roots)).values():
        background.run_in_turn(calls)


@pytest.fixture(scope="session")
def hosts(live: LiveStack) -> Hosts:
    """All hosts of the stack."""
    return Hosts(live.outputs)


@pytest.fixture(scope="session")
def host(request: pytest.FixtureRequest, hosts: Hosts, roots: Roots) -> Host:
    """testinfra's host: a check that takes it runs on every host of its roles."""
    if not request.param:
        pytest.fail("the stack's settings name a host for this, and the stack has none at this moment")
    host = hosts[request.param]
    stand_on(roots.host(host))
    return host


@pytest.fixture(scope="session")
def roles(host: Host, live: LiveStack) -> tuple[Role, ...]:
    """The roles of `host`."""
    return live.outputs.host(name_of(host)).roles


@pytest.fixture(scope="session")
def app_services(host: Host, roles: tuple[Role, ...], live: LiveStack) -> list[Host]:
    """testinfra's services of the app's processes that run on `host`, in both slots."""
    return services_on(host, roles, live)


@pytest.fixture(scope="session")
def live_services(host: Host, app_services: list[Host]) -> list[Host]:
    """Those of the slot that serves: a warm one runs an older release, by that release's settings."""
    return those_that_serve(host, app_services)


@pytest.fixture(scope="session")
def fresh_budget(live: LiveStack, hosts: Hosts, request: pytest.FixtureRequest) -> Callable[[], None]:
    """Makes limits per address forget what this machine has sent."""
    if not live.outputs.by_role("edge"):
        return lambda: None
    site = request.getfixturevalue("edge")
    return lambda: budget.renew(site, hosts)


@pytest.fixture(scope="session")
def whole_budget(live: LiveStack, fresh_budget: Callable[[], None]) -> Generator[None]:
    """All that limits per address leave to this machine, for the rest of the run."""
    with budget.held(live):
        fresh_budget()
        yield
        fresh_budget()


@pytest.fixture(autouse=True)
def own_budget(request: pytest.FixtureRequest, live: LiveStack) -> Generator[None]:
    """What limits per address leave to this machine, for the checks that spend of it."""
    check = check_of(request.node)
    if check is None or check.spends == "nothing":
        yield
    elif check.spends == "all":
        request.getfixturevalue("whole_budget")
        yield
    else:
        renew = request.getfixturevalue("fresh_budget")
        with budget.held(live):
            renew()
            yield
