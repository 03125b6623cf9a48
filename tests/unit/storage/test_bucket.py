"""The bucket against a real S3 server."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hosts.agent.sigv4 import Credentials
from slipway.storage.bucket import Bucket, BucketError, Conflict
from tests.s3 import S3


def test_an_absent_key_is_none(s3: S3) -> None:
    assert s3.bucket().get_json("stacks/prod/head.json") is None


def test_an_absent_bucket_is_an_error_and_not_an_absent_key(s3: S3) -> None:
    nowhere = Bucket("no-such-bucket", s3.account, endpoint=s3.endpoint)
    with pytest.raises(BucketError, match="NoSuchBucket"):
        nowhere.get_json("head.json")


def test_a_key_is_created_only_once(s3: S3) -> None:
    bucket = s3.bucket()
    etag = bucket.put_json("a.json", {"n": 1}, if_none_match=True)
    with pytest.raises(Conflict):
        bucket.put_json("a.json", {"n": 2}, if_none_match=True)
    assert bucket.get_json("a.json") == ({"n": 1}, etag)


def test_only_what_was_read_is_replaced(s3: S3) -> None:
    bucket = s3.bucket()
    first = bucket.put_json("a.json", {"n": 1})
    second = bucket.put_json("a.json", {"n": 2}, if_match=first)
    assert second != first
    for etag, key in ((first, "a.json"), (second, "absent.json")):
        with pytest.raises(Conflict):
            bucket.put_json(key, {"n": 3}, if_match=etag)


def test_keys_are_listed_in_order_and_from_where_one_left_off(s3: S3) -> None:
    bucket = s3.bucket()
    for key in ("r/2.json", "r/1.json", "r/1/e/1.json", "other.json"):
        bucket.put_json(key, {})
    assert list(bucket.list("r/")) == ["r/1.json", "r/1/e/1.json", "r/2.json"]
    assert list(bucket.list("r/", after="r/1/e/1.json")) == ["r/2.json"]


def test_a_listing_of_more_than_a_page_is_whole(s3: S3) -> None:
    bucket = s3.bucket()
    for number in range(1005):
        bucket.put_json(f"n/{number:05d}", {})
    assert len(list(bucket.list("n/"))) == 1005


def test_a_file_comes_back_unchanged_and_each_byte_is_reported_as_progress(s3: S3, tmp_path: Path) -> None:
    bucket, file = s3.bucket(), tmp_path / "layer"
    file.write_bytes(b"0123456789abcdef" * 100_000)
    up: list[int] = []
    down: list[int] = []
    bucket.put_file("layers/x", file, progress=up.append)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    bucket.get_file("layers/x", tmp_path / "back", sha256=digest, progress=down.append)
    assert (tmp_path / "back").read_bytes() == file.read_bytes()
    assert sum(up) == sum(down) == 1_600_000


def test_a_large_file_goes_in_parts(s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slipway.storage.bucket.SINGLE_PUT_BYTES", 1)
    bucket, file = s3.bucket(), tmp_path / "layer"
    file.write_bytes(bytes(range(256)) * (40 << 12))
    progress: list[int] = []
    bucket.put_file("layers/large", file, progress=progress.append)
    bucket.get_file("layers/large", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == file.read_bytes()
    assert sum(progress) == 40 << 20


def test_a_file_that_is_not_what_it_is_named_is_refused_by_the_server(s3: S3, tmp_path: Path) -> None:
    bucket, file = s3.bucket(), tmp_path / "layer"
    file.write_bytes(b"torn")
    with pytest.raises(BucketError, match="Mismatch"):
        bucket.put_file("layers/x", file, sha256=hashlib.sha256(b"whole").hexdigest())
    assert not bucket.exists("layers/x")


def test_a_corrupt_download_leaves_nothing_behind(s3: S3, tmp_path: Path) -> None:
    bucket, file = s3.bucket(), tmp_path / "layer"
    file.write_bytes(b"rotten")
    bucket.put_file("layers/x", file)
    with pytest.raises(BucketError, match="corrupt"):
        bucket.get_file("layers/x", tmp_path / "back", sha256="0" * 64)
    assert [path.name for path in tmp_path.iterdir()] == ["layer"]


def test_a_deleted_key_is_gone_and_deleting_again_is_fine(s3: S3) -> None:
    bucket = s3.bucket()
    bucket.put_json("a.json", {})
    bucket.delete("a.json")
    bucket.delete("a.json")
    assert not bucket.exists("a.json")


def test_a_wrong_secret_key_is_named_without_being_shown(s3: S3) -> None:
    bucket = Bucket("any", Credentials(s3.account.access_key, "wrong-canary"), endpoint=s3.endpoint)
    with pytest.raises(BucketError, match="SignatureDoesNotMatch") as caught:
        bucket.get_json("a.json")
    assert "canary" not in f"{caught.value!r} {caught.value.remedy} {bucket.__dict__}"


def test_a_server_that_is_down_is_a_bucket_error(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slipway.storage.signed_http._RETRY_AFTER", (0.01,))
    with pytest.raises(BucketError, match="refused"):
        Bucket("any", s3.account, endpoint="http://127.0.0.1:9").get_json("a.json")


def test_the_servers_clock_is_known_to_a_second(s3: S3) -> None:
    bucket = s3.bucket()
    for _ in range(5):
        bucket.get_json("a.json")
    assert abs(bucket.server_time() - time.time()) < 1.1


def test_importing_the_ledger_imports_no_aws_library() -> None:
    program = (
        "import sys, slipway.storage.ledger; sys.exit(any(m in sys.modules for m in ('boto3', 'botocore')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
