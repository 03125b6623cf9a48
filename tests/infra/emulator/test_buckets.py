"""The buckets as AWS has them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.infra.access.evaluator import Caller, Request, decide
from tests.infra.emulator import found
from tests.infra.emulator.applied import Applied

SOMEBODY = Caller("arn:aws:iam::123456789012:role/somebody")
EVERYTHING: dict[str, Any] = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


def read(bucket: str, **context: str) -> Request:
    conditions = {key.replace("_", ":"): value for key, value in context.items()}
    return Request(SOMEBODY, "s3:GetObject", f"arn:aws:s3:::{bucket}/x", conditions)


def test_the_stack_has_its_own_buckets(applied: Applied):
    wanted = ["builds", "uploads", "logs", *(["audit"] if applied.aws.audit else [])]
    assert found.buckets(applied) == sorted(found.bucket(applied, what) for what in wanted)


def test_no_bucket_is_ever_public(applied: Applied):
    for name in found.buckets(applied):
        block = applied.ask("s3").get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"]
        assert block == dict.fromkeys(block, True) and len(block) == 4, name


def test_no_bucket_has_access_lists(applied: Applied):
    for name in found.buckets(applied):
        owner = applied.ask("s3").get_bucket_ownership_controls(Bucket=name)["OwnershipControls"]["Rules"]
        assert owner == [{"ObjectOwnership": "BucketOwnerEnforced"}], name


def test_every_bucket_refuses_plain_http_and_old_tls(applied: Applied):
    for name in found.buckets(applied):
        policy = found.bucket_policy(applied, name)
        old = {"s3_TlsVersion": "1.1", "aws_SecureTransport": "true"}
        assert decide(read(name, s3_TlsVersion="1.2"), [EVERYTHING], policy) == "allowed", name
        assert decide(read(name, aws_SecureTransport="false"), [EVERYTHING], policy) == "denied", name
        assert decide(read(name, **old), [EVERYTHING], policy) == "denied", name


def test_no_bucket_lets_anybody_in_by_its_policy_alone(applied: Applied):
    for name in found.buckets(applied):
        assert decide(read(name), [], found.bucket_policy(applied, name)) == "not allowed", name


def test_what_is_overwritten_can_be_brought_back(applied: Applied):
    for name in found.buckets(applied):
        assert applied.ask("s3").get_bucket_versioning(Bucket=name)["Status"] == "Enabled", name


@pytest.mark.parametrize("what", ["builds", "uploads"])
def test_data_is_encrypted_with_the_stacks_key(applied: Applied, what: str):
    said = applied.ask("s3").get_bucket_encryption(Bucket=found.bucket(applied, what))
    (rule,) = said["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"] == {
        "SSEAlgorithm": "aws:kms",
        "KMSMasterKeyID": found.key(applied)["Arn"],
    }
    assert rule["BucketKeyEnabled"] is True


def test_logs_are_encrypted_as_the_load_balancer_can(applied: Applied):
    said = applied.ask("s3").get_bucket_encryption(Bucket=found.bucket(applied, "logs"))
    (rule,) = said["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"


def test_old_versions_and_unfinished_uploads_go_in_time(applied: Applied):
    for what in ("builds", "uploads", "logs"):
        said = applied.ask("s3").get_bucket_lifecycle_configuration(Bucket=found.bucket(applied, what))
        rules = {each["ID"]: each for each in said["Rules"]}
        assert all(each["Status"] == "Enabled" for each in rules.values())
        days = rules["old-versions"]["NoncurrentVersionExpiration"]["NoncurrentDays"]
        assert days == applied.aws.buckets.old_version_days
        unfinished = rules["unfinished-uploads"]["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"]
        assert unfinished == applied.aws.buckets.unfinished_days
        kept = rules.get("expired", {}).get("Expiration", {}).get("Days")
        assert kept == (applied.aws.load_balancer.log_days if what == "logs" else None)


def test_only_the_sites_pages_may_upload(applied: Applied):
    uploads = found.bucket(applied, "uploads")
    (rule,) = applied.ask("s3").get_bucket_cors(Bucket=uploads)["CORSRules"]
    assert rule["AllowedOrigins"] == [applied.outputs["url"]]
    assert "*" not in rule["AllowedMethods"] + rule["AllowedHeaders"]
    assert "PUT" in rule["AllowedMethods"]


def test_the_load_balancer_may_write_its_logs_and_nothing_else(applied: Applied):
    logs = found.bucket(applied, "logs")
    writer = Caller("logdelivery.elasticloadbalancing.amazonaws.com", "Service")
    arn = found.load_balancer(applied)["LoadBalancerArn"]
    policy = found.bucket_policy(applied, logs)

    def may(action: str, bucket: str, key: str, source: str = arn) -> str:
        context = {"aws:SourceArn": source, "aws:SourceAccount": source.split(":")[4]}
        return decide(Request(writer, action, f"arn:aws:s3:::{bucket}/{key}", context), [], policy)

    place = "AWSLogs/123456789012/elasticloadbalancing/x.log.gz"
    assert may("s3:PutObject", logs, f"access/{place}") == "allowed"
    assert may("s3:PutObject", logs, f"connections/{place}") == "allowed"
    assert may("s3:GetObject", logs, f"access/{place}") == "not allowed"
    assert may("s3:PutObject", logs, "elsewhere") == "not allowed"
    strangers = arn.replace("123456789012", "210987654321")
    assert may("s3:PutObject", logs, f"access/{place}", strangers) == "not allowed"
