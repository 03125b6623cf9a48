"""Checks that only read a host begin with the run: all hosts at once, on each one check after another."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from functools import cached_property, partial
from typing import cast

import pytest

from checks.kit.check import check_of, not_evaluated
from checks.kit.hosts import Host, Hosts, live_slot
from checks.kit.roots import Roots, stand_on
from slipway.stack import LiveStack, Role

FIXTURES = frozenset({"host", "roles", "live", "hosts", "app_services", "live_services"})
"""What such a check takes, and nothing else."""


class OnHost:
    """What the fixtures of those names are for one host. For use in one thread."""

    def __init__(self, name: str, live: LiveStack, hosts: Hosts, roots: Roots) -> None:
        self.name = name
        self.live = live
        self.hosts = hosts
        self._roots = roots

    def run(self, function: Callable[..., object]) -> object:
        """Run a check. Raises what it raises, or that its host is out of reach."""
        stand_on(self._roots.host(self.host))
        return function(**{name: getattr(self, name) for name in inspect.signature(function).parameters})

    @cached_property
    def host(self) -> Host:
        return self.hosts[self.name]

    @cached_property
    def roles(self) -> tuple[Role, ...]:
        return self.live.outputs.host(self.name).roles

    @cached_property
    def app_services(self) -> list[Host]:
        return services_on(self.host, self.roles, self.live)

    @cached_property
    def live_services(self) -> list[Host]:
        return those_that_serve(self.host, self.app_services)


def services_on(host: Host, roles: tuple[Role, ...], live: LiveStack) -> list[Host]:
    """testinfra's services of the app's processes that run on `host`, in both slots."""
    if not live.app.on_role(*roles):
        on = " and ".join(roles)
        not_evaluated(f"no process in slipway.toml runs on hosts of role {on} ([processes.NAME])")
    # testinfra has no module that lists units.
    listed = "systemctl list-units --type=service --state=running --plain --no-legend 'slipway-*@*'"
    return [host.service(line.split()[0]) for line in host.check_output(listed).splitlines() if line.strip()]


def those_that_serve(host: Host, services: list[Host]) -> list[Host]:
    """Those of the slot that serves: a warm one runs an older release, by that release's settings."""
    slot = live_slot(host)
    if not slot:
        not_evaluated("nothing was released yet: slipway release")
    return [service for service in services if f"@{slot}-" in service.name]


def only_reads_a_host(item: pytest.Item) -> bool:
    """Whether `item` can run beside the others: it takes a host, and spends no budget."""
    check, function = check_of(item), getattr(item, "function", None)
    if check is None or function is None or check.spends != "nothing" or check.waits_for:
        return False
    wanted = set(inspect.signature(function).parameters)
    return "host" in wanted and wanted <= FIXTURES


def calls(
    items: Iterable[tuple[str, pytest.Function]], on: Callable[[str], OnHost]
) -> dict[str, dict[str, Callable[[], object]]]:
    """By host, what to call for each of its `items`, by pytest's node id."""
    found: dict[str, dict[str, Callable[[], object]]] = {}
    places: dict[str, OnHost] = {}
    for host, item in items:
        place = places.setdefault(host, on(host))
        found.setdefault(host, {})[item.nodeid] = partial(place.run, cast("Callable[..., object]", item.obj))
    return found
