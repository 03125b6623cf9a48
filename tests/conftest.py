"""Fixtures that several packages' tests share: a real S3 server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.browser import Page, browser
from tests.s3 import S3, find_versitygw, serve

# How long an example takes depends on the machine, which may be busy.
settings.register_profile("slipway", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("slipway")


@pytest.fixture(scope="module")
def tab() -> Iterator[Page]:
    """A tab of a real browser."""
    with browser() as tab:
        yield tab


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    """A real S3 server (versitygw); `s3.bucket()` makes a new bucket and returns its `Bucket`."""
    program = find_versitygw()
    if not program:
        pytest.skip("no versitygw: set VERSITYGW to the program or put it on PATH")
    with serve(program, tmp_path_factory.mktemp("s3")) as server:
        yield server
