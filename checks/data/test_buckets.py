"""S3: permissions of each account, found by trying what must fail (I6, I7, I8)."""

from __future__ import annotations

import secrets

import pytest

from checks.data.services import open_bucket
from checks.kit.check import check, not_evaluated
from slipway.stack import Bucket, BucketError, BucketOutput, LiveStack


@check(
    "I7",
    severity="critical",
    asvs="13.2.2",
    why="whoever can write builds decides what every host runs",
    remedy="give hosts a read-only account (reader_access_key); aws: the instance role",
)
def test_hosts_may_read_builds_and_not_write_them(live: LiveStack) -> None:
    builds = live.outputs.builds
    bucket = open_bucket(live, builds, builds)
    assert bucket.get_json(f"{live.name}/no-such-key") is None, "a key that is not there is"
    assert _refused(bucket, f"check-{secrets.token_hex(4)}"), "the hosts' account may write builds"


@check(
    "I7",
    severity="critical",
    asvs="13.2.2",
    why="a compromised app must not be able to change what is released",
    remedy="use one account for uploads and another for builds",
)
def test_the_apps_account_cannot_touch_builds(live: LiveStack) -> None:
    bucket = open_bucket(live, live.outputs.builds, _uploads(live))
    assert _refused(bucket, f"check-{secrets.token_hex(4)}"), "the app's account may write builds"
    try:
        bucket.get_json("anything")
    except BucketError:
        return
    pytest.fail("the app's account may read builds")


@check(
    "I6",
    severity="high",
    why="if the account lacks a permission, uploads fail for users",
    remedy="slipway up makes the account and its policy",
)
def test_the_apps_account_can_use_its_own_bucket(live: LiveStack) -> None:
    uploads = _uploads(live)
    bucket = open_bucket(live, uploads, uploads)
    key = f"users/00000000-0000-4000-8000-000000000000/check-{secrets.token_hex(6)}"
    bucket.put_json(key, {"check": True})
    try:
        found = bucket.get_json(key)
        assert found is not None and found[0] == {"check": True}, "what was written is not there"
    finally:
        bucket.delete(key)


@check(
    "I7",
    severity="critical",
    asvs="13.2.3",
    why="a store that accepts any key protects nothing",
    remedy="is authentication enabled on the S3 server?",
)
def test_a_wrong_key_is_refused_by_buckets(live: LiveStack) -> None:
    uploads = _uploads(live)
    wrong = uploads.model_copy(update={"access_key": "no-such-account"})
    bucket = open_bucket(live, uploads, wrong)
    assert _refused(bucket, "users/x/y"), "an account that does not exist may write"


def _uploads(live: LiveStack) -> BucketOutput:
    if live.outputs.uploads is None:
        not_evaluated("the stack has no uploads bucket (slipway:uploads)")
    return live.outputs.uploads


def _refused(bucket: Bucket, key: str) -> bool:
    """Whether writing is refused. An object that was written is deleted again."""
    try:
        bucket.put_json(key, {"check": True})
    except BucketError:
        return True
    bucket.delete(key)
    return False
