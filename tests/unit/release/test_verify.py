"""`slipway verify`: what it says of a sound release, and of each way in which one is not."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from slipway.build.build import build, publish
from slipway.release.verify import refuse, verify
from slipway.secrets import signing
from slipway.settings import SlipwayError
from slipway.stack import LiveStack
from slipway.storage.bucket import Damaged
from slipway.storage.lease import Lease
from slipway.storage.ledger import Ledger
from tests.s3 import S3
from tests.unit.build.conftest import cache_home, make_project

__all__ = ["cache_home", "make_project"]


@pytest.fixture
def stack(make_project: Any, s3: S3) -> LiveStack:
    """A stack on which release 1 of a commit was shipped by this person."""
    project = make_project(
        {"bun.lock": json.dumps({"packages": {"ms": ["ms@2.1.3", "", {}, "sha512-AAAA"]}})}
    )
    signing.ensure_signers(project)
    live, bucket = LiveStack(project), s3.bucket()
    live._outputs = cast("Any", SimpleNamespace(stack="test"))  # pyright: ignore[reportPrivateUsage]
    vars(live)["bucket"] = bucket
    made = build(project)
    publish(made, bucket, sign=live.signing.build)
    with Lease.acquire(bucket, "test", "ana@desk") as lease:
        ledger = Ledger(bucket, "test", lease=lease, sign=live.signing.record)
        ledger.create(kind="release", build=made.manifest.id, config="c")
        ledger.promote(1)
    return live


def test_a_sound_release_says_who_signed_what(stack: LiveStack):
    found = verify(stack, None)
    refuse(found)
    assert (found.release, found.record, found.flaws) == (1, 1, ())
    assert found.signer in signing.signers(stack.project)
    assert found.packages == 1
    assert len(found.build) == 65


@pytest.mark.parametrize("what", ["record", "unsigned", "SBOM", "key"])
def test_what_was_changed_in_the_bucket_is_seen(what: str, stack: LiveStack):
    key = "stacks/test/releases/00000001.json"
    content = dict((stack.bucket.get_json(key) or ({}, ""))[0])
    if what == "record":
        stack.bucket.put_json(key, {**content, "fence": 99})
    elif what == "unsigned":
        stack.bucket.put_json(key, {**content, "signature": "", "signer": ""})
    elif what == "SBOM":
        stack.bucket.put_json(f"builds/{content['build']}.cdx.json", {"components": []})
    else:
        file: Path = signing.signers_file(stack.project)
        file.write_text(file.read_text().replace("AAAA", "BBBB", 1))
    with pytest.raises(SlipwayError, match="does not hold") as refused:
        refuse(verify(stack, 1))
    assert len(refused.value.details) == 1


@pytest.mark.parametrize(
    "changed", [{"build": "b" + "0" * 64}, {"signature": "", "signer": ""}, {"number": 2}]
)
def test_a_record_that_was_changed_in_the_bucket_is_no_target_of_a_cold_rollback(
    changed: dict[str, Any], stack: LiveStack
):
    record = stack.ledger.get(1)
    assert stack.signing.trusts_record(record)
    assert not stack.signing.trusts_record(record.model_copy(update=changed))


def test_a_record_under_another_number_is_damage(stack: LiveStack):
    content = dict((stack.bucket.get_json("stacks/test/releases/00000001.json") or ({}, ""))[0])
    stack.bucket.put_json("stacks/test/releases/00000002.json", content)
    with pytest.raises(Damaged, match="is the record of release 1"):
        stack.ledger.get(2)
