"""Bucket checks fail where an account has more permissions than it should."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, cast

import boto3
import pytest

from slipway.stack import LiveStack
from tests.fleet.checks.breaking import Break, done, on, rewritten
from tests.fleet.checks.harness import Case, prove
from tests.fleet.site import Site

RESTART_S3 = "systemctl restart versitygw; for i in $(seq 100); do curl -ksf -o /dev/null https://127.0.0.1:7070/healthz && exit 0; sleep 0.1; done; exit 1"  # noqa: E501 - a shell's line


def another_account(site: Site) -> AbstractContextManager[None]:
    """The S3 server takes the app's secret from an account of another name too, which may do all."""
    uploads = cast("Any", site.outputs.uploads)

    def change(text: str) -> str:
        accounts = json.loads(text)
        known = accounts["accessAccounts"]
        known["no-such-account"] = {**known[uploads.access_key], "access": "no-such-account", "role": "admin"}
        return json.dumps(accounts)

    return rewritten(site, "data1", "/var/lib/versitygw/iam/users.json", change, RESTART_S3)


def policy(which: str, *actions: str, effect: str = "Allow") -> Break:
    """A bucket's policy that allows or denies `actions` to everybody besides."""

    @contextmanager
    def broken(site: Site) -> Generator[None]:
        opened = LiveStack(site.project)
        root = dict(line.split("=", 1) for line in on(site, "data1", "cat /etc/slipway/s3/root.env").split())
        data = site.outputs.by_role("data")[0]
        port = opened.fleet.web[0].connection.tunnel(data.address, 7070)
        s3: Any = cast("Any", boto3).client(
            "s3",
            endpoint_url=f"https://127.0.0.1:{port}",
            region_name="us-east-1",
            verify=False,
            aws_access_key_id=root["ROOT_ACCESS_KEY"].strip("'\""),
            aws_secret_access_key=root["ROOT_SECRET_KEY"].strip("'\""),
        )
        bucket = site.outputs.builds.bucket if which == "builds" else cast("Any", site.outputs.uploads).bucket
        before = s3.get_bucket_policy(Bucket=bucket)["Policy"]
        loose = json.loads(before)
        resource = f"arn:aws:s3:::{bucket}/*"
        loose["Statement"].append(
            {"Effect": effect, "Principal": "*", "Action": list(actions), "Resource": [resource]}
        )
        try:
            s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(loose))
            yield
        finally:
            s3.put_bucket_policy(Bucket=bucket, Policy=before)

    return broken


BUCKETS = (
    Case(
        "an app that may not store uploads",
        policy("uploads", "s3:PutObject", effect="Deny"),
        red=("I6/the-apps-account-can-use-its-own-bucket",),
    ),
    Case("an unknown account", another_account, red=("I7/a-wrong-key-is-refused-by-buckets",)),
    Case(
        "builds that any account may change",
        policy("builds", "s3:PutObject", "s3:GetObject", "s3:DeleteObject"),
        red=("I7/hosts-may-read-builds-and-not-write-them", "I7/the-apps-account-cannot-touch-builds"),
        run=("I7/hosts-may", "I7/the-apps-account-cannot", "I6/the-apps-account"),
    ),
    Case(
        "builds that any account may delete",
        policy("builds", "s3:DeleteObject"),
        red=("I7/hosts-may-read-builds-and-not-write-them", "I7/the-apps-account-cannot-touch-builds"),
        run=("I7/hosts-may", "I7/the-apps-account-cannot", "I6/the-apps-account"),
        says="delete",
    ),
    Case(
        "a store that answers nothing",
        done("data1", "systemctl stop versitygw", RESTART_S3),
        red=(
            "I7/a-wrong-key-is-refused-by-buckets",
            "I7/hosts-may-read-builds-and-not-write-them",
            "I7/the-apps-account-cannot-touch-builds",
            "I6/the-apps-account-can-use-its-own-bucket",
        ),
        alone=True,
        says="could not be tried",
    ),
)


@pytest.mark.parametrize("case", BUCKETS, ids=str)
def test_the_check_fails(whole: Site, case: Case) -> None:
    prove(whole, case)
