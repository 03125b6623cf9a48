"""S3: permissions of each account, found by trying what must fail (I6, I7, I8)."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable

import pytest

from checks.data.services import open_bucket
from checks.kit.check import check, not_evaluated
from slipway.stack import Bucket, BucketError, BucketOutput, LiveStack

REFUSED = r": (AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch|AllAccessDisabled|status 403)$"
"""How S3 refuses an account."""


@check(
    "I7",
    severity="critical",
    asvs="13.2.2",
    why="whoever can write builds decides what every host runs",
    remedy="give hosts a read-only account (reader_access_key); aws: the instance role",
    ahead=True,
)
def test_hosts_may_read_builds_and_not_write_them(live: LiveStack) -> None:
    builds = live.outputs.builds
    bucket = open_bucket(live, builds, builds)
    assert bucket.get_json(f"{live.name}/no-such-key") is None, "a key that is not there is"
    assert _refuses_writing(bucket), "the hosts' account may write builds"
    assert _refuses(lambda: bucket.delete(_new())), "the hosts' account may delete builds"


@check(
    "I7",
    severity="critical",
    asvs="13.2.2",
    why="a compromised app must not be able to change what is released",
    remedy="use one account for uploads and another for builds",
    needs=("slipway:uploads",),
    ahead=True,
)
def test_the_apps_account_cannot_touch_builds(live: LiveStack) -> None:
    bucket = open_bucket(live, live.outputs.builds, _uploads(live))
    assert _refuses_writing(bucket), "the app's account may write builds"
    assert _refuses(lambda: bucket.delete(_new())), "the app's account may delete builds"
    assert _refuses(lambda: bucket.get_json("anything")), "the app's account may read builds"


@check(
    "I6",
    severity="high",
    why="if the account lacks a permission, uploads fail for users",
    remedy="slipway up makes the account and its policy",
    needs=("slipway:uploads",),
    ahead=True,
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
    needs=("slipway:uploads",),
)
def test_a_wrong_key_is_refused_by_buckets(live: LiveStack) -> None:
    uploads = _uploads(live)
    wrong = uploads.model_copy(update={"access_key": "no-such-account"})
    bucket = open_bucket(live, uploads, wrong)
    assert _refuses_writing(bucket), "an account that does not exist may write"


def _uploads(live: LiveStack) -> BucketOutput:
    if live.outputs.uploads is None:
        not_evaluated("the stack has no uploads bucket (slipway:uploads)")
    return live.outputs.uploads


def _new() -> str:
    """A key that no object has."""
    return f"check-{secrets.token_hex(8)}"


def _refuses_writing(bucket: Bucket) -> bool:
    """Whether writing is refused. An object that was written is deleted again."""
    key = _new()
    refused = _refuses(lambda: bucket.put_json(key, {"check": True}))
    if not refused:
        try:
            bucket.delete(key)
        except BucketError:
            pytest.fail(f"{key} could be written and not be deleted: delete it from bucket {bucket.name}")
    return refused


def _refuses(request: Callable[[], object]) -> bool:
    """Whether the account is refused `request`; a store that does not answer has not refused it."""
    try:
        request()
    except BucketError as error:
        assert re.search(REFUSED, error.message), f"it could not be tried: {error.message}"
        return True
    return False
