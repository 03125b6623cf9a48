"""A damaged ledger is reported as that, never as an empty stack, and repaired from records and hosts."""

import pytest

from slipway.stack import LiveStack
from tests.fleet.command import slipway
from tests.fleet.site import Site

pytestmark = pytest.mark.fleet

HEAD = "stacks/local/head.json"
LEASE = "stacks/local/lease.json"


@pytest.mark.parametrize("key", [HEAD, LEASE, "record", "event"])
def test_a_truncated_object_is_named_and_repaired(site: Site, key: str):
    site.release()
    live = site.live()
    bucket = LiveStack(site.project).bucket
    record = f"stacks/local/releases/{live:08d}"
    key = {"record": f"{record}.json", "event": max(bucket.list(f"{record}/events/"))}.get(key, key)
    content = bucket.get_bytes(key)
    assert content
    bucket.put_bytes(key, content[: len(content) // 2])
    refused = slipway(site.root, "status", "--json")
    assert refused.code == 4, refused.out + refused.err
    assert key in refused.error
    assert "slipway ledger repair" in refused.out
    assert "Traceback" not in refused.err
    doctor = slipway(site.root, "doctor", "--json")
    assert any(key in found["what"] and found["level"] == "fail" for found in doctor.json)
    repaired = slipway(site.root, "ledger", "repair", "--json")
    assert repaired.code == 0, repaired.out + repaired.err
    assert repaired.json["repaired"]
    assert slipway(site.root, "status", "--json").json["live"] == live == site.live()
    site.release()


def test_a_deleted_head_beside_live_hosts_is_not_an_empty_stack(site: Site):
    site.release()
    live = site.live()
    bucket = LiveStack(site.project).bucket
    bucket.delete(HEAD)
    for command in (["status"], ["release", "--no-checks"], ["rollback"]):
        refused = slipway(site.root, *command, "--json")
        assert refused.code == 4, refused.out + refused.err
        assert HEAD in refused.error
    assert site.live() == live
    assert slipway(site.root, "ledger", "repair").code == 0
    assert slipway(site.root, "status", "--json").json["live"] == live
    assert slipway(site.root, "ledger", "repair", "--json").json["repaired"] == []
    site.release()


def test_hosts_whose_ledger_is_gone_go_on_serving_until_it_is_rebuilt(site: Site):
    """An empty ledger beside hosts that serve is a loss, never an order to serve nothing."""
    site.release()
    live = site.live()
    bucket = LiveStack(site.project).bucket
    for key in list(bucket.list("stacks/local/")):
        bucket.delete(key)
    for command in (["status"], ["release", "--no-checks"]):
        refused = slipway(site.root, *command, "--json")
        assert refused.code == 4, refused.out + refused.err
        assert "the ledger of stack local is empty" in refused.error
        assert site.live() == live
    assert slipway(site.root, "ledger", "repair").code == 0
    assert slipway(site.root, "status", "--json").json["live"] == live
    site.release()
    assert site.live() == live + 1
