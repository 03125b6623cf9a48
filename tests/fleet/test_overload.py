"""An app that is too busy for its health checks is slow, not down: its users wait, and get their answers."""

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager

import httpx
import pytest

from slipway.stack import LiveStack
from tests.fleet.site import Site

pytestmark = pytest.mark.fleet

STANDSTILL_SECONDS = 8
"""More than three checks a second apart, which took every server out."""


@contextmanager
def standstill(site: Site) -> Generator[None]:
    """No web process gets any processor time inside."""
    hosts = [host.name for host in site.outputs.by_role("web")]
    for host in hosts:
        site.on(host, "systemctl kill --signal=STOP 'slipway-web@*'")
    try:
        yield
    finally:
        for host in hosts:
            site.on(host, "systemctl kill --signal=CONT 'slipway-web@*'")


def test_every_request_to_an_app_that_stands_still_for_a_while_is_answered(site: Site):
    site.release()
    statuses: list[int | str] = []
    key = LiveStack(site.project).secrets["SLIPWAY_LOAD_KEY"]

    def user() -> None:
        with site.stranger(**{"X-Slipway-Load": key}) as client:
            client.timeout = httpx.Timeout(60)
            while not over.is_set():
                try:
                    statuses.append(client.get("/health").status_code)
                except httpx.HTTPError as failure:
                    statuses.append(type(failure).__name__)
                time.sleep(0.1)

    over = threading.Event()
    users = [threading.Thread(target=user) for _ in range(10)]
    for each in users:
        each.start()
    with standstill(site):
        time.sleep(STANDSTILL_SECONDS)
    time.sleep(3)
    over.set()
    for each in users:
        each.join()
    assert set(statuses) == {200}
    site.wait_until_healthy()
