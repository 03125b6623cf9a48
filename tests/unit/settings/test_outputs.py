"""What stack outputs say about a platform, so that no reader compares platform names."""

from __future__ import annotations

import pytest

from slipway.settings import STICKY_COOKIE, Bucket, Cloud, Outputs, SecretStore


def outputs(cloud: Cloud | None) -> Outputs:
    return Outputs(
        stack="prod", platform="aws" if cloud else "servers", url="https://x.example",
        builds=Bucket(bucket="b"), secrets=SecretStore(kind="age", location="s"), cloud=cloud,
    )  # fmt: skip


def cloud(cache: str) -> Cloud:
    return Cloud(
        region="eu-central-1", account="1", groups={}, boot_secrets={}, key="k", target_group="t", cache=cache
    )


def test_the_edges_cookie_names_a_host_and_an_albs_does_not() -> None:
    assert outputs(None).host_cookie == STICKY_COOKIE
    assert outputs(cloud("")).host_cookie == ""


@pytest.mark.parametrize(
    ("given", "managed"), [(None, False), (cloud(""), False), (cloud("main"), True)], ids=str
)
def test_redis_is_managed_where_the_cloud_has_a_cache(given: Cloud | None, managed: bool) -> None:
    assert outputs(given).has_managed_redis is managed
