"""The data host, read once for all checks of its services."""

from __future__ import annotations

import pytest

from checks.data.data_host import DataHost, read_data_host
from checks.kit.hosts import Hosts
from slipway.stack import LiveStack


@pytest.fixture(scope="session")
def data_host(live: LiveStack, hosts: Hosts) -> DataHost:
    return read_data_host(live, hosts)
