"""What does not belong on a host, or is missing there, is a failure that names it; then all is green."""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Generator, Sequence
from contextlib import ExitStack

import pytest

from slipway.stack import LiveStack
from tests.fleet.checks.breaking import done, on
from tests.fleet.checks.harness import Found, run_checks
from tests.fleet.checks.sabotages import RUN, SABOTAGES, Sabotage
from tests.fleet.site import FORGET_JOURNAL, Site

EVERY = os.environ.get("SLIPWAY_SABOTAGE") == "all"
CHOSEN = SABOTAGES if EVERY else tuple({each.check: each for each in reversed(SABOTAGES)}.values())
"""One of each class; SLIPWAY_SABOTAGE=all: every one."""
CHECKS = sorted({each.check for each in CHOSEN})


@pytest.fixture(scope="module")
def found(whole: Site) -> Generator[Found]:
    """One run of the checks while every sabotage is there; all are undone afterwards, whatever happens."""
    live = LiveStack(whole.project)
    value = live.secrets["WEBHOOK_SECRET"]
    read = {
        "": "",
        "secret": value,
        "base64": base64.b64encode(value.encode()).decode(),
        "bearer": f"Authorization: Bearer {secrets.token_urlsafe(32)}",
        "key": next(pem for name, pem in live.private_keys().items() if "data1" in name and "PRIVATE" in pem),
    }
    hosts = {each.host: [row for row in CHOSEN if row.host == each.host] for each in CHOSEN}
    with ExitStack() as broken:
        for host, rows in hosts.items():
            broken.enter_context(done(host, "true", FORGET_JOURNAL)(whole))
            broken.callback(run_all, whole, host, [(each.undo, "") for each in reversed(rows) if each.undo])
            failed = run_all(whole, host, [(each.do, read[each.stdin]) for each in rows])
            assert not failed, f"{host}: {failed}"
        result = run_checks(whole.root, *CHECKS)
    yield result


def run_all(site: Site, host: str, scripts: Sequence[tuple[str, str]]) -> str:
    """Run scripts on a host, each with its standard input; what those that failed said."""
    return on(site, host, f"python3 -c '{RUN}'", json.dumps(scripts))


@pytest.mark.parametrize("sabotage", CHOSEN, ids=str)
def test_it_is_named(found: Found, sabotage: Sabotage) -> None:
    reasons = [
        str(each["reason"])
        for each in found.results
        if each["id"] == sabotage.check and each["host"] == sabotage.host and each["verdict"] == "fail"
    ]
    assert reasons, f"{sabotage.check} is green on {sabotage.host}\n{found.said}"
    assert any(sabotage.says in reason for reason in reasons), reasons


@pytest.mark.usefixtures("found")
def test_all_is_green_when_it_is_undone(whole: Site) -> None:
    again = run_checks(whole.root, *CHECKS)
    assert again.code == 0, again.said
