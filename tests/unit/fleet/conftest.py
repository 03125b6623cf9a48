"""A host to reach: a real sshd on loopback, and a connection to it that is closed afterwards."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from slipway.fleet.ssh import Connection
from tests.sshd import Sshd, serve


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """A real OpenSSH server."""
    with serve(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture
def web1(sshd: Sshd) -> Iterator[Connection]:
    """A connection of its own to the server, not open yet."""
    connection = Connection("web1", sshd.config())
    yield connection
    connection.close()
